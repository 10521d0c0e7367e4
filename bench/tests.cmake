# Tests of the benchmarks: they run to their end and print what is expected.

# The peer measures the same samples.
find_package(Python3 3.8 QUIET COMPONENTS Interpreter)
find_program(BASH_PROGRAM bash REQUIRED)
if(Python3_FOUND)
  set(peers ${CMAKE_CURRENT_SOURCE_DIR}/peers)
  add_test(NAME bench.samples
           COMMAND ${BASH_PROGRAM} -c "diff <($0 --preset tiny --mix lengths --samples --batch 500) \
                                            <($1 ${peers}/workload.py --batch 500)"
                   $<TARGET_FILE:bench_step> ${Python3_EXECUTABLE})
  set_tests_properties(bench.samples PROPERTIES LABELS unit TIMEOUT 60)
endif()

# The benchmarks with --device cuda, on the stand-in for a device (tests/standin). Its events measure no
# time, so the figures mean nothing here.
if(NOT TARGET lynceus_gpu_standin)
  return()
endif()
# lynceus_bench_standin(NAME EXPECTED OPTION...)
function(lynceus_bench_standin name expected)
  add_executable(${name}_standin $<TARGET_OBJECTS:${name}>)
  target_link_libraries(${name}_standin PRIVATE lynceus_bench lynceus_gpu_standin)
  add_test(NAME bench.device.${name} COMMAND ${name}_standin --device cuda ${ARGN})
  set_tests_properties(bench.device.${name} PROPERTIES LABELS simt TIMEOUT 120
                       ENVIRONMENT OMP_NUM_THREADS=1 PASS_REGULAR_EXPRESSION "${expected}")
endfunction()
lynceus_bench_standin(bench_step "\"mix\":\"lengths\",\"batch\":4,.*\"mfu\":[0-9]"
  --precision bf16 --preset tiny --mix lengths --batch 4 --image 28 --model.vocab_size 64
  --model.num_layers 1 --vision.num_layers 1 --steps 1 --warmup 1 --matrix 64)
lynceus_bench_standin(bench_kernels "\"bf16\",\"kernel\":\"layer_norm_backward\",\"mib\":0.25"
  --json --rows 8 --launches 1 --samples 1 --adapters 1 --only layer_norm)
lynceus_bench_standin(bench_attention "latents 32 x 1285\",\"direction\":\"backward\""
  --json --tokens 64 --launches 1 --samples 1 --matrix 64 --only latents)
