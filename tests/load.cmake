# Memory while weights are loaded, on two ranks too: each of them holds more than on four.
if(TARGET model_load_memory_mpi4_test)
  add_test(NAME model.load_memory_on_two_ranks
           COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe -n 2
                   $<TARGET_FILE:model_load_memory_mpi4_test>)
  set_tests_properties(model.load_memory_on_two_ranks
                       PROPERTIES LABELS mpi ENVIRONMENT "${mpi_environment}" TIMEOUT 300
                                  PROCESSORS ${both_cores})
endif()
