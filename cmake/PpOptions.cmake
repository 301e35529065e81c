# Language, warnings, sanitizers.
option(PP_WERROR "Warnings are errors" OFF)
option(PP_FUZZ "Build the libFuzzer programs of tests/fuzz (clang only)" OFF)
set(PP_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, comma separated (address,undefined | thread)")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(pp_flags INTERFACE)
target_compile_options(pp_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<BOOL:${PP_WERROR}>:-Werror>
  # C callbacks may be unwound through by SystemC; no fused operations behind our back, so that a
  # reference and its fast path, and two machines, agree.
  $<$<COMPILE_LANGUAGE:C>:-fexceptions> -ffp-contract=off)
target_compile_definitions(pp_flags INTERFACE _POSIX_C_SOURCE=200809L)
target_include_directories(pp_flags INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
if(PP_SANITIZE)
  target_compile_options(pp_flags INTERFACE -fsanitize=${PP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(pp_flags INTERFACE -fsanitize=${PP_SANITIZE})
endif()
if(PP_FUZZ)
  target_compile_options(pp_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
