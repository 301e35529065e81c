# Install tree: static libraries, public headers under include/pentaprism/<room>/, the program, the zoo
# (workloads/CMakeLists.txt), pentaprism.pc and a CMake package; manual pages, completion, examples, docs. The
# command line (cli/) is a program, not a library: nothing of it is installed but the binary.
#
# Two components, which the Debian packages carry: `program` (pentaprism) and `development` (pentaprism-dev).
include(CMakePackageConfigHelpers)

set(PP_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/pentaprism)
get_property(pp_all_rooms GLOBAL PROPERTY PP_ROOMS)
set(pp_installed_rooms ${pp_all_rooms})
list(REMOVE_ITEM pp_installed_rooms pp_cli)

# What the rooms link to outside the house, found from the rooms themselves so that no list can drift:
# PkgConfig::YAML -> YAML_MODULE_NAME = yaml-0.1.
set(pp_outside)
foreach(room ${pp_installed_rooms})
  get_target_property(libraries ${room} LINK_LIBRARIES)
  foreach(library ${libraries})
    if(library MATCHES "^PkgConfig::(.+)$")
      list(APPEND pp_outside ${CMAKE_MATCH_1})
    endif()
  endforeach()
endforeach()
list(REMOVE_DUPLICATES pp_outside)

set(PP_PC_REQUIRES)
set(PP_CONFIG_MODULES)
foreach(prefix ${pp_outside})
  list(APPEND PP_PC_REQUIRES ${${prefix}_MODULE_NAME})
  string(APPEND PP_CONFIG_MODULES "pkg_check_modules(${prefix} REQUIRED QUIET IMPORTED_TARGET ${${prefix}_MODULE_NAME})\n")
endforeach()
list(JOIN PP_PC_REQUIRES " " PP_PC_REQUIRES)

# Users stand left of what they use on a linker's line, and PP_ROOMS is in the order of building.
set(PP_PC_LIBS ${pp_installed_rooms})
list(REVERSE PP_PC_LIBS)
list(TRANSFORM PP_PC_LIBS PREPEND "-l")
list(JOIN PP_PC_LIBS " " PP_PC_LIBS)

install(TARGETS ${pp_installed_rooms} EXPORT pentaprism-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT development)
install(TARGETS pentaprism RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(EXPORT pentaprism-targets NAMESPACE pentaprism:: DESTINATION ${PP_PACKAGE_DIR} COMPONENT development)
# The public headers; tests/install/run compiles each alone, so one that needs another must bring it.
foreach(header
    base/base.h
    base/doc.h
    base/file.h
    base/knob.h
    base/mem.h
    base/pool.h
    base/rng.h
    base/status.h
    base/term.h
    workloads/cpu.h
    workloads/dense.h
    workloads/blas.h workloads/lm.h workloads/lm_graph.h workloads/lm_step.h
    workloads/network.h
    workloads/settings.h
    workloads/onnx.h
    workloads/tflite.h
    workloads/stage.h
    workloads/tokenizer.h workloads/workloads.h
    quant/lmq.h
    quant/lmq_integer.h
    quant/number.h
    quant/quant.h
    quant/rotate_stage.h
    quant/scale_stage.h
    quant/rotation.h
    arch/arch.h
    arch/cost.h
    topology/hier.h topology/normalise.h
    topology/routefn.h
    topology/topology.h
    mapper/lm_map.h mapper/mapper.h
    sim/crossbar_analog.h
    sim/device.h
    sim/energy.h
    sim/irdrop.h
    sim/kernel.h
    sim/lm_crossbar.h
    sim/lm_execute.h
    sim/kernel_systemc.h
    sim/net.h sim/net_route.h sim/traffic.h
    sim/noise.h
    sim/noise_study.h
    sim/sim.h
    sim/tokens.h sim/tokens_energy.h sim/tokens_lm.h sim/tokens_sample.h sim/tokens_way.h
    report/accuracy.h
    report/compare.h
    report/content.h report/guard.h
    report/tables_quant.h
    report/plot.h report/sweep.h
    report/lm_report.h
    report/report.h report/trace.h report/traffic.h)
  cmake_path(GET header PARENT_PATH room)
  install(FILES ${PROJECT_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pentaprism/${room}
    COMPONENT development)
endforeach()

# The prefix stands relative to the .pc file, so that an installed tree can be moved.
file(RELATIVE_PATH PP_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" PP_PC_PREFIX "${PP_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/pentaprism.pc.in ${PROJECT_BINARY_DIR}/pentaprism.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pentaprism.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pentaprism-config.cmake.in
  ${PROJECT_BINARY_DIR}/pentaprism-config.cmake INSTALL_DESTINATION ${PP_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pentaprism-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pentaprism-config.cmake ${PROJECT_BINARY_DIR}/pentaprism-config-version.cmake
  DESTINATION ${PP_PACKAGE_DIR} COMPONENT development)

# Manual pages and completion are printed by the program itself, from its tables.
set(pp_pages ${PROJECT_BINARY_DIR}/pages)
find_program(PP_GZIP gzip REQUIRED)
add_custom_command(OUTPUT ${pp_pages}/stamp
  COMMAND ${PROJECT_SOURCE_DIR}/cmake/make_pages $<TARGET_FILE:pentaprism> ${pp_pages}
  DEPENDS pentaprism ${PROJECT_SOURCE_DIR}/cmake/make_pages VERBATIM COMMENT "Manual pages and completion")
add_custom_target(pages ALL DEPENDS ${pp_pages}/stamp)
install(DIRECTORY ${pp_pages}/man1 ${pp_pages}/man7 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT program)
install(FILES ${pp_pages}/pentaprism.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME pentaprism COMPONENT program)
# Debian's zsh looks in another folder below /usr than below any other prefix.
install(CODE "
  set(folder site-functions)
  if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
    set(folder vendor-completions)
  endif()
  file(INSTALL ${pp_pages}/_pentaprism DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\")"
  COMPONENT program)
install(FILES ${pp_pages}/pentaprism.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT program)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs ${PROJECT_SOURCE_DIR}/papers ${PROJECT_SOURCE_DIR}/examples
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program PATTERN CMakeLists.txt EXCLUDE PATTERN __pycache__ EXCLUDE)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
configure_file(${PROJECT_SOURCE_DIR}/cmake/copyright.in ${PROJECT_BINARY_DIR}/copyright @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES ${PROJECT_BINARY_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pentaprism-dev
  COMPONENT development)
include(PpPackage)
