# Readers of foreign bytes under libFuzzer: tests/fuzz/<name>_fuzz.cpp, compiled by clang together with
# the sources that it needs. fuzz.<name> runs for 20 seconds (label fuzz); fuzz_full.<name> runs for half
# an hour, only with `ctest -C full -L fuzz_full`. Interesting inputs are kept in <build>/fuzz/<name>; the
# next run starts from them.
#
# Limits of one input: 5 seconds and 512 MiB. AddressSanitizer may hold back 32 MiB of freed memory: its
# default of 256 MiB grows further in half an hour and slows everything down.

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
  message(STATUS "No clang with libFuzzer (Debian: libclang-rt-14-dev): the fuzz tests are left out")
  return()
endif()

# fmt and spdlog as shared libraries, as in the rest of the tree.
set(fuzz_flags -std=c++20 -O1 -gline-tables-only -fno-omit-frame-pointer
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
    -DFMT_SHARED -DSPDLOG_COMPILED_LIB -DSPDLOG_FMT_EXTERNAL -DSPDLOG_SHARED_LIB
    "-DLYNCEUS_VERSION=\"${PROJECT_VERSION}\""
    -I${CMAKE_SOURCE_DIR} -I${CMAKE_SOURCE_DIR}/src -I${CMAKE_CURRENT_SOURCE_DIR})
foreach(directory ${HDF5_INCLUDE_DIRS} ${MPI_C_INCLUDE_DIRS})
  list(APPEND fuzz_flags -isystem ${directory})
endforeach()
set(fuzz_libraries -Wl,--as-needed ${HDF5_C_LIBRARIES} ${MPI_C_LIBRARIES} -ljpeg -lpng -lwebp -lwebpdemux -lgif -ltiff
    -larchive -lz -lxxhash -lsentencepiece -lsentencepiece_train -lboost_program_options -lspdlog -lfmt -licuuc)

# Precompiled headers of libraries, as for the other targets.
set(fuzz_pch)
if(LYNCEUS_PCH)
  set(fuzz_pch ${CMAKE_CURRENT_BINARY_DIR}/fuzz/libraries.pch)
  list(TRANSFORM LYNCEUS_PCH_HEADERS PREPEND "#include " OUTPUT_VARIABLE includes)
  list(JOIN includes "\n" includes)
  file(CONFIGURE OUTPUT fuzz/libraries.h CONTENT "${includes}\n")
  add_custom_command(
    OUTPUT ${fuzz_pch}
    COMMAND ${FUZZ_CLANG} ${fuzz_flags} -MD -MF ${fuzz_pch}.d -MT ${fuzz_pch} -x c++-header
            ${CMAKE_CURRENT_BINARY_DIR}/fuzz/libraries.h -o ${fuzz_pch}
    DEPFILE ${fuzz_pch}.d
    COMMENT "Precompiling headers for the fuzzers" VERBATIM)
  list(APPEND fuzz_flags -include-pch ${fuzz_pch})
endif()

# lynceus_fuzz_object(RESULT SOURCE): compiles SOURCE with clang and appends the object to the list RESULT.
function(lynceus_fuzz_object result source)
  file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
  string(REPLACE "/" "_" path ${path})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/${path}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${FUZZ_CLANG} ${fuzz_flags} -MD -MF ${object}.d
            -MT ${object} -c ${source} -o ${object}
    DEPENDS ${source} ${fuzz_pch} DEPFILE ${object}.d
    COMMENT "Compiling ${path} for the fuzzers" VERBATIM)
  set(${result} ${${result}} ${object} PARENT_SCOPE)
endfunction()

# The readers, compiled once for all fuzz tests.
set(fuzz_objects)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
foreach(name
    core/check core/config/config core/config/faults core/config/line core/config/visitor core/error core/home
    core/memory core/process/out_of_memory core/resource core/stream core/tensor
    core/text/ascii core/text/base64 core/text/foreign_file core/text/spelling core/text/text_encoding core/text/units core/version
    core/no_cuda/accelerator
    io/checkpoint/manifest
    io/dataset/answer_counts io/dataset/dataset io/dataset/shard io/dataset/shard_sidecar
    io/files/archive io/files/decimal io/files/digest io/files/file io/files/file_pattern io/files/hdf5 io/files/json io/files/json_value
    io/files/lines io/files/missing_file io/files/table io/files/unpacked_file io/files/zip_entries
    io/media/bmp io/media/frame_choice io/media/gif io/media/image io/media/jpeg io/media/png io/media/tiff
    io/media/tiff_pixels io/media/webp
    io/text/lower_case io/text/prompt_files io/text/sentencepiece_check io/text/tokenizer
    io/weights/convert io/weights/generated_weights io/weights/hf_config io/weights/llama_pieces
    io/weights/name_list io/weights/pickle io/weights/released_names io/weights/rope_scaling
    io/weights/safetensors
    io/weights/safetensors_writer io/weights/selected_weights io/weights/stored_tensor io/weights/torch_file
    io/weights/weight_files io/weights/weights
    src/evaluate/answer_rows src/evaluate/evaluation src/evaluate/items src/evaluate/protocol_card src/evaluate/verdict
    src/evaluate/vqa_normal_form src/evaluate/words
    src/evaluate/benchmarks/caption src/evaluate/benchmarks/caption_metrics src/evaluate/benchmarks/mme
    src/evaluate/benchmarks/mme_files src/evaluate/benchmarks/mme_questions src/evaluate/benchmarks/mme_rules
    src/evaluate/benchmarks/openvqa src/evaluate/benchmarks/options src/evaluate/benchmarks/vqa
    src/evaluate/benchmarks/heldout src/evaluate/contact_sheet src/evaluate/picture
    src/evaluate/bootstrap src/evaluate/statistics src/evaluate/compare/agreement src/evaluate/compare/compare
    src/evaluate/compare/item_file src/evaluate/compare/mme_score src/evaluate/compare/page
    src/evaluate/compare/pairs src/evaluate/compare/paper_page src/evaluate/compare/paper_rows
    src/evaluate/compare/sentence src/evaluate/judge/question src/evaluate/judge/replies
    src/evaluate/judge/requests src/evaluate/owleval/answers src/evaluate/owleval/ratings
    src/prepare/child_process src/prepare/rows/conversation src/prepare/rows/file_ending src/prepare/image_reader
    src/prepare/rows/instructions src/prepare/rows/json_bytes src/prepare/rows/json_recovery
    src/prepare/rows/json_scanner src/prepare/rows/json_stream src/prepare/rows/media_names
    src/prepare/rows/ordered_rows
    src/prepare/rows/row_keys src/prepare/rows/row_text src/prepare/rows/source
    src/prepare/video
    src/prepare/sources/coco src/prepare/sources/jsonl src/prepare/sources/llava
    src/prepare/sources/openvqa src/prepare/sources/webdataset)
  lynceus_fuzz_object(fuzz_objects ${CMAKE_SOURCE_DIR}/${name}.cpp)
endforeach()
set(fuzz_library ${CMAKE_CURRENT_BINARY_DIR}/fuzz/libreaders.a)
add_custom_command(OUTPUT ${fuzz_library}
                   COMMAND ${CMAKE_COMMAND} -E rm -f ${fuzz_library}
                   COMMAND ${CMAKE_AR} rcs ${fuzz_library} ${fuzz_objects}
                   DEPENDS ${fuzz_objects} VERBATIM)
add_custom_target(fuzz_readers DEPENDS ${fuzz_library})

# lynceus_fuzz(NAME MAX_LENGTH bytes [SEEDS <folder of tests/>...] [WORDS <dictionary>])
# The inputs in fuzz/corpus/NAME, if there are any, are seeds too.
function(lynceus_fuzz name)
  cmake_parse_arguments(FUZZ "" "MAX_LENGTH;WORDS" "SEEDS" ${ARGN})
  set(objects)
  lynceus_fuzz_object(objects ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_fuzz.cpp)
  set(program ${CMAKE_BINARY_DIR}/${name}_fuzz)
  add_custom_command(OUTPUT ${program}
                     COMMAND ${FUZZ_CLANG} -fsanitize=fuzzer,address,undefined ${objects}
                             ${fuzz_library} ${fuzz_libraries} -o ${program}
                     DEPENDS ${objects} ${fuzz_library} VERBATIM)
  add_custom_target(${name}_fuzz_program ALL DEPENDS ${program})
  add_dependencies(${name}_fuzz_program fuzz_readers)

  set(found ${CMAKE_BINARY_DIR}/fuzz/${name})
  file(MAKE_DIRECTORY ${found})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
    list(APPEND FUZZ_SEEDS fuzz/corpus/${name})
  endif()
  list(TRANSFORM FUZZ_SEEDS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set(options -rss_limit_mb=512 -malloc_limit_mb=512 -timeout=5 -print_final_stats=1
      -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/${name}- -max_len=${FUZZ_MAX_LENGTH})
  if(FUZZ_WORDS)
    list(APPEND options -dict=${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${FUZZ_WORDS})
  endif()
  set(environment ENVIRONMENT ASAN_OPTIONS=quarantine_size_mb=32)
  add_test(NAME fuzz.${name} COMMAND ${program} -max_total_time=20 ${options} ${found} ${FUZZ_SEEDS})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120 ${environment})
  add_test(NAME fuzz_full.${name} CONFIGURATIONS full
           COMMAND ${program} -max_total_time=1800 ${options} ${found} ${FUZZ_SEEDS})
  set_tests_properties(fuzz_full.${name} PROPERTIES LABELS fuzz_full TIMEOUT 2400 ${environment})
endfunction()

lynceus_fuzz(answers MAX_LENGTH 2048 WORDS answers.dict)
lynceus_fuzz(archive MAX_LENGTH 8192)
lynceus_fuzz(bmp MAX_LENGTH 4096)
lynceus_fuzz(config MAX_LENGTH 2048)
lynceus_fuzz(gif MAX_LENGTH 4096)
lynceus_fuzz(hf_config MAX_LENGTH 2048 WORDS json.dict)
lynceus_fuzz(image MAX_LENGTH 8192)
lynceus_fuzz(json MAX_LENGTH 4096 WORDS json.dict)
lynceus_fuzz(json_stream MAX_LENGTH 4096 WORDS json.dict)
lynceus_fuzz(llama MAX_LENGTH 2048 WORDS llama.dict)
lynceus_fuzz(manifest MAX_LENGTH 8192 WORDS json.dict)
lynceus_fuzz(prompts MAX_LENGTH 1024 WORDS prompts.dict)
lynceus_fuzz(rows MAX_LENGTH 4096 WORDS json.dict)
lynceus_fuzz(safetensors MAX_LENGTH 4096 WORDS json.dict SEEDS data/safetensors)
lynceus_fuzz(shard MAX_LENGTH 512)
lynceus_fuzz(source MAX_LENGTH 4096 WORDS json.dict)
lynceus_fuzz(tiff MAX_LENGTH 8192)
lynceus_fuzz(tokenizer MAX_LENGTH 2048 WORDS tokenizer.dict)
lynceus_fuzz(torch_file MAX_LENGTH 8192 WORDS torch_file.dict SEEDS data/torch)
lynceus_fuzz(verdicts MAX_LENGTH 2048 WORDS json.dict)
lynceus_fuzz(video MAX_LENGTH 2048 WORDS video.dict)
lynceus_fuzz(webdataset MAX_LENGTH 4096 WORDS webdataset.dict)
lynceus_fuzz(webp MAX_LENGTH 4096)
lynceus_fuzz(weight_index MAX_LENGTH 4096 WORDS json.dict SEEDS data/generated_weights)
