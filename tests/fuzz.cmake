# Readers of foreign bytes under libFuzzer: tests/fuzz/<name>_fuzz.cpp, compiled by clang with the
# sources that it needs. fuzz.<name> runs for 20 seconds (label fuzz), fuzz_full.<name> for half an
# hour and only when asked: ctest -C full -L fuzz_full. Inputs that were found go to
# <build>/fuzz/<name>, so that a later run begins where the last one ended.
#
# Bounds: 5 seconds and 512 MiB an input.

find_program(FUZZ_CLANG NAMES clang++-14 clang++)
if(FUZZ_CLANG AND NOT DEFINED FUZZ_WORKS)
  file(WRITE ${CMAKE_BINARY_DIR}/fuzz/probe.cpp
       "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
  execute_process(COMMAND ${FUZZ_CLANG} -fsanitize=fuzzer,address ${CMAKE_BINARY_DIR}/fuzz/probe.cpp
                          -o ${CMAKE_BINARY_DIR}/fuzz/probe
                  RESULT_VARIABLE probe OUTPUT_QUIET ERROR_QUIET)
  if(probe EQUAL 0)
    set(FUZZ_WORKS TRUE CACHE INTERNAL "clang links libFuzzer")
  endif()
endif()
if(NOT FUZZ_WORKS)
  message(STATUS "No clang with libFuzzer (libclang-rt-14-dev): readers are not fuzzed")
  return()
endif()

set(fuzz_flags -std=c++20 -O1 -g -fno-omit-frame-pointer
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
    -DFMT_SHARED -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DSPDLOG_SHARED_LIB
    -I${CMAKE_SOURCE_DIR} -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_CURRENT_SOURCE_DIR})

# lynceus_fuzz(NAME SOURCES <of the tree>... SEEDS <folder>... [LIBRARIES ...] [MAX_LENGTH bytes])
function(lynceus_fuzz name)
  cmake_parse_arguments(FUZZ "" "MAX_LENGTH" "SOURCES;SEEDS;LIBRARIES" ${ARGN})
  set(objects)
  list(TRANSFORM FUZZ_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/)
  foreach(source ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_fuzz.cpp ${FUZZ_SOURCES})
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
    string(REPLACE "/" "_" path ${path})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${name}/${path}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${FUZZ_CLANG} ${fuzz_flags} -MD -MF ${object}.d
              -MT ${object} -c ${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d
      COMMENT "Compiling ${path} for the fuzzer ${name}" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${name} ${CMAKE_BINARY_DIR}/fuzz/${name})
  set(program ${CMAKE_BINARY_DIR}/${name}_fuzz)
  add_custom_command(OUTPUT ${program}
                     COMMAND ${FUZZ_CLANG} -fsanitize=fuzzer,address,undefined ${objects}
                             ${FUZZ_LIBRARIES} -lfmt -lspdlog -o ${program}
                     DEPENDS ${objects} VERBATIM)
  add_custom_target(${name}_fuzz_program ALL DEPENDS ${program})

  list(TRANSFORM FUZZ_SEEDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(options -rss_limit_mb=512 -malloc_limit_mb=512 -timeout=5 -print_final_stats=1
      -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/${name}- -max_len=${FUZZ_MAX_LENGTH})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}.dict)
    list(APPEND options -dict=${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}.dict)
  endif()
  add_test(NAME fuzz.${name} COMMAND ${program} -max_total_time=20 ${options}
                                     ${CMAKE_BINARY_DIR}/fuzz/${name} ${FUZZ_SEEDS})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  add_test(NAME fuzz_full.${name} CONFIGURATIONS full
           COMMAND ${program} -max_total_time=1800 ${options} ${CMAKE_BINARY_DIR}/fuzz/${name}
                   ${FUZZ_SEEDS})
  set_tests_properties(fuzz_full.${name} PROPERTIES LABELS fuzz_full TIMEOUT 2400)
endfunction()

lynceus_fuzz(torch_file MAX_LENGTH 8192
             SEEDS data/torch fuzz/corpus/torch_file
             SOURCES io/torch_file.cpp io/pickle.cpp io/zip_entries.cpp io/stored_tensor.cpp
                     io/convert.cpp io/file.cpp src/core/tensor.cpp src/core/memory.cpp
                     src/core/no_cuda/accelerator.cpp)
