# pp_room(NAME SOURCES a.c b.c [DEPENDS rooms...] [PRIVATE libs...])
# Static library pp_NAME of the folder that calls it. DEPENDS: rooms to its left, seen by users too.
# PRIVATE: outside libraries, seen here only.
function(pp_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(pp_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(pp_${name} PUBLIC ${ARG_DEPENDS} PRIVATE $<BUILD_INTERFACE:pp_flags> ${ARG_PRIVATE})
  target_include_directories(pp_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/pentaprism>)
  set_property(GLOBAL APPEND PROPERTY PP_ROOMS pp_${name})
endfunction()

# Environment of every test.
set(PP_TEST_ENVIRONMENT)
if(PP_SANITIZE MATCHES address)
  set(PP_TEST_ENVIRONMENT "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/lsan.supp:print_suppressions=0")
endif()

# All tests labelled threads, so that they can be built without the rest.
add_custom_target(threads)

# pp_test(NAME SOURCES test_x.c [LIBS pp_x ...] [LABEL unit] [TIMEOUT s]): one cmocka executable = one ctest.
function(pp_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} pp_flags PkgConfig::CMOCKA m)
  target_compile_definitions(${name} PRIVATE
    PP_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}" PP_TEST_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${PP_TEST_ENVIRONMENT}")
  if(ARG_LABEL STREQUAL threads)
    add_dependencies(threads ${name})
  endif()
endfunction()
