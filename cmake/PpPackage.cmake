# Debian packages: `cpack -G DEB` in the build folder, or `./dev package`. pentaprism holds the program, its models,
# pages and documents; pentaprism-dev headers and static libraries. What the program links is found by
# dpkg-shlibdeps; what a user of the libraries needs stands in one list here.
find_package(Git QUIET)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # packaging builds nothing: what is there is packed
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pentaprism)
set(CPACK_PACKAGE_VENDOR pentaprism)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
# Whoever builds the packages answers for them: DEBFULLNAME and DEBEMAIL, as with Debian's own tools, else whom Git
# knows in this folder.
set(pp_maintainer_name "$ENV{DEBFULLNAME}")
set(pp_maintainer_mail "$ENV{DEBEMAIL}")
foreach(part name email)
  string(REPLACE email mail variable pp_maintainer_${part})
  if(${variable} STREQUAL "" AND GIT_FOUND)
    execute_process(COMMAND ${GIT_EXECUTABLE} config user.${part} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      OUTPUT_VARIABLE ${variable} OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endforeach()
if(pp_maintainer_name STREQUAL "")
  set(pp_maintainer_name "${PROJECT_NAME} maintainers")
endif()
if(pp_maintainer_mail STREQUAL "")
  set(pp_maintainer_mail "${PROJECT_NAME}@localhost")
endif()
set(PP_MAINTAINER "${pp_maintainer_name} <${pp_maintainer_mail}>" CACHE STRING "Maintainer that the Debian packages name")
set(CPACK_PACKAGE_CONTACT ${PP_MAINTAINER})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME pentaprism)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "fonts-dejavu-core")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "pentaprism-dev, python3-h5py, python3-matplotlib, dataset-fashion-mnist")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "Takes a trained neural network, quantizes it, lays its layers out on crossbar
cores, places the cores on a fabric and simulates the pipeline that results:
throughput, latency, the load of every core and channel, energy, and what the
network still gets right behind real converters and devices.

This package holds the program, its models and its documentation.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME pentaprism-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libc6-dev, libyaml-dev, libcjson-dev, zlib1g-dev, libjpeg62-turbo-dev, libopenblas-dev, \
libigraph-dev, libhdf5-dev, libcairo2-dev, libsystemc-dev, libsentencepiece-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "pentaprism (= ${PROJECT_VERSION}-1)")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers and static libraries of pentaprism, for programs that map and simulate
networks themselves, with pkg-config and CMake files.")

# Changelog in Debian's own form, dated by the commit.
set(pp_date "Thu, 01 Jan 1970 00:00:00 +0000")
if(GIT_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(COMMAND ${GIT_EXECUTABLE} log -1 --format=%cD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE pp_date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
foreach(package pentaprism pentaprism-dev)
  file(WRITE ${PROJECT_BINARY_DIR}/${package}/changelog.Debian
    "pentaprism (${PROJECT_VERSION}-1) unstable; urgency=medium\n\n  * /usr/share/doc/pentaprism/changelog.gz says what this version holds.\n\n"
    " -- ${PP_MAINTAINER}  ${pp_date}\n")
  execute_process(COMMAND ${PP_GZIP} -9nf ${PROJECT_BINARY_DIR}/${package}/changelog.Debian)
  if(package STREQUAL pentaprism)
    set(component program)
  else()
    set(component development)
  endif()
  install(FILES ${PROJECT_BINARY_DIR}/${package}/changelog.Debian.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component})
endforeach()
file(COPY_FILE ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_BINARY_DIR}/changelog)
execute_process(COMMAND ${PP_GZIP} -9nf ${PROJECT_BINARY_DIR}/changelog)
install(FILES ${PROJECT_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
