# Where the program computes and what it says of it, over the stand-in for devices.
if(TARGET lynceus_standin)
  add_test(NAME cli.runtime_choice
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/runtime_choice.sh
                   ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:lynceus_standin>
                   ${CMAKE_CURRENT_SOURCE_DIR}/golden/text_only)
  set_tests_properties(cli.runtime_choice PROPERTIES LABELS "mpi;simt" TIMEOUT 120 PROCESSORS ${both_cores}
                       ENVIRONMENT "${mpi_environment}")
endif()
