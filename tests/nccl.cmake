# Groups of ranks that move device tensors, on the stand-ins for the device and for NCCL: one program,
# by each transport, over 2, 4 and 8 ranks.
if(NOT TARGET lynceus_gpu_standin)
  return()
endif()

file(GLOB device_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/parallel/device/*_test.cpp)
foreach(source ${device_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE lynceus_parallel lynceus_gpu_standin lynceus_test_main)
  foreach(transport staged)
    foreach(ranks 2 4 8)
      set(test parallel.${name}.${transport}.${ranks})
      add_test(NAME ${test} COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe -n ${ranks}
                                    $<TARGET_FILE:${name}>)
      set_tests_properties(${test} PROPERTIES LABELS "mpi;simt" TIMEOUT 300 PROCESSORS 2
        ENVIRONMENT "${mpi_environment};LYNCEUS_TEST_TRANSPORT=${transport};LYNCEUS_STANDIN_DEVICES=8;LYNCEUS_STANDIN_SEED=${ranks}")
    endforeach()
  endforeach()
endforeach()
