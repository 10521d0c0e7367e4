# Groups of ranks that exchange device tensors, on the stand-ins for the device and for NCCL: each test
# with each transport, on 2, 4 and 8 ranks. In the preset "cuda" the same tests also run on GPUs: with
# the staged transport where ranks share a GPU, with NCCL where each has its own.
if(NOT TARGET lynceus_gpu_standin)
  return()
endif()

set(device_environment ${mpi_environment} LYNCEUS_STANDIN_DEVICES=8)
set(verify_on_nccl prefix_image prefix_video grouped_kv turns)
set(transports staged)
if(NCCL_INCLUDE_DIR)
  list(APPEND transports nccl)
endif()

file(GLOB device_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/parallel/device/*_test.cpp)
foreach(source ${device_tests})
  get_filename_component(name ${source} NAME_WE)
  set(target parallel_${name})
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE lynceus_parallel lynceus_gpu_standin lynceus_test_main)
  set(by ${transports})
  if(name MATCHES "failure")
    list(REMOVE_ITEM by staged)  # there the host waits in MPI, which ends the job itself
  endif()
  foreach(transport ${by})
    foreach(ranks 2 4 8)
      set(test parallel.${name}.${transport}.${ranks})
      lynceus_mpi_test(${test} ${ranks} $<TARGET_FILE:${target}>)
      set(environment ${device_environment} LYNCEUS_TEST_TRANSPORT=${transport}
                      LYNCEUS_STANDIN_SEED=${ranks})
      set_tests_properties(${test} PROPERTIES LABELS "mpi;simt" TIMEOUT 60
                           ENVIRONMENT "${environment}")
    endforeach()
  endforeach()
  if(NOT TARGET lynceus_gpu OR name MATCHES "failure")
    continue()  # the failure test needs the stand-in's slow arithmetic
  endif()
  add_executable(gpu_${name} ${source})
  target_link_libraries(gpu_${name} PRIVATE lynceus_parallel lynceus_gpu lynceus_test_main)
  foreach(transport staged nccl)
    set(test gpu.${name}.${transport})
    lynceus_mpi_test(${test} 4 $<TARGET_FILE:gpu_${name}>)
    set_tests_properties(${test} PROPERTIES LABELS gpu TIMEOUT 120 RESOURCE_LOCK gpu
                         SKIP_REGULAR_EXPRESSION "needs [0-9]+ devices"
                         ENVIRONMENT "${mpi_environment};LYNCEUS_TEST_TRANSPORT=${transport}")
  endforeach()
endforeach()

# The training step with NCCL against the goldens: tensor, pipeline and data groups together.
if(NCCL_INCLUDE_DIR)
  list(TRANSFORM verify_on_nccl PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/golden/)
  lynceus_mpi_test(verify.cuda.nccl 8 $<TARGET_FILE:lynceus_standin> verify
                   --device cuda --transport nccl --parallel.tensor 2 --parallel.pipeline 2
                   --train.micro_batch_tokens 1 ${verify_on_nccl})
  set_tests_properties(verify.cuda.nccl PROPERTIES LABELS "mpi;simt;strict"
                       ENVIRONMENT "${device_environment};LYNCEUS_STANDIN_STRICT=1")
endif()

# lynceus_device_fault(TEST MESSAGE): the fault ends a job of four ranks within seconds, with MESSAGE.
function(lynceus_device_fault test message)
  lynceus_mpi_test(parallel.device_fault.${test} 4 $<TARGET_FILE:parallel_device_failure_test>
                   --gtest_filter=Fault.DISABLED_${test} --gtest_also_run_disabled_tests)
  set_tests_properties(parallel.device_fault.${test} PROPERTIES LABELS "mpi;simt;fault" TIMEOUT 30
                       PASS_REGULAR_EXPRESSION "${message}"
                       ENVIRONMENT "${device_environment};LYNCEUS_TEST_TRANSPORT=nccl")
endfunction()

if(NCCL_INCLUDE_DIR)
  lynceus_device_fault(ARankIsKilled "on signal 9|rank 3 is lost")
  lynceus_device_fault(ARankStops
    "error: world group, rank [0-2] of 4: all_reduce 2 of 5 f32 elements is not done after 2000 ms")
  lynceus_device_fault(ARankCallsSomethingElse
    "calls all_reduce .call 3, 5 elements.*calls broadcast|calls broadcast.*calls all_reduce")
  lynceus_device_fault(ARankSendsAnotherLength
    "receives 4 elements of type 7, rank [0-3] sends 3 of type 7")

  # A device that works on one collective at a time: in the host's order, which NCCL keeps since 2.26; in one
  # queue, with an older NCCL; and in any order, which deadlocks.
  set(strict_environment ${device_environment} LYNCEUS_TEST_TRANSPORT=nccl LYNCEUS_STANDIN_STRICT=1)
  foreach(ranks 4 8)
    foreach(nccl 22809 22500)
      set(test parallel.device_strict.${nccl}.${ranks})
      lynceus_mpi_test(${test} ${ranks} $<TARGET_FILE:parallel_device_communicator_test>
                       --gtest_filter=DeviceCommunicator.*)
      set_tests_properties(${test} PROPERTIES LABELS "mpi;simt;strict" TIMEOUT 60 ENVIRONMENT
                           "${strict_environment};LYNCEUS_STANDIN_NCCL=${nccl};LYNCEUS_STANDIN_SEED=${ranks}")
    endforeach()
  endforeach()
  lynceus_device_fault(NobodyOrdersTheGroups "NCCL: rank [0-3] of 4 waits for 3 s in all_reduce")
  set_tests_properties(parallel.device_fault.NobodyOrdersTheGroups PROPERTIES LABELS "mpi;simt;strict"
    ENVIRONMENT "${strict_environment};LYNCEUS_STANDIN_UNORDERED=1;LYNCEUS_STANDIN_TIMEOUT=3")
endif()
