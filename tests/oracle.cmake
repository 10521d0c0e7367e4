# Other programs' word on what we read: here torch's, where a python3 has it.
add_test(NAME oracle.torch_files
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle_torch.sh ${CMAKE_SOURCE_DIR}
                 $<TARGET_FILE:io_torch_file_test> $<TARGET_FILE:lynceus> ${MPIEXEC_EXECUTABLE})
set_tests_properties(oracle.torch_files PROPERTIES LABELS mpi TIMEOUT 300 SKIP_RETURN_CODE 77
                     PROCESSORS 2 ENVIRONMENT "${mpi_environment}")
