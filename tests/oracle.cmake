# Other programs' word on what we read and write: torch's and h5py's, where a python3 has them.
add_test(NAME oracle.torch_files
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle_torch.sh ${CMAKE_SOURCE_DIR}
                 $<TARGET_FILE:io_torch_file_test> $<TARGET_FILE:lynceus> ${MPIEXEC_EXECUTABLE})
set_tests_properties(oracle.torch_files PROPERTIES LABELS mpi TIMEOUT 300 SKIP_RETURN_CODE 77
                     PROCESSORS ${one_core} ENVIRONMENT "${mpi_environment}")
add_test(NAME oracle.h5py
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle_h5py.sh ${CMAKE_SOURCE_DIR}
                 $<TARGET_FILE:lynceus> ${MPIEXEC_EXECUTABLE})
set_tests_properties(oracle.h5py PROPERTIES LABELS mpi TIMEOUT 300 SKIP_RETURN_CODE 77
                     PROCESSORS ${one_core} ENVIRONMENT "${mpi_environment}")
# Takes transformers from PyPI, so only where LYNCEUS_PYPI is set.
add_test(NAME oracle.transformers
         COMMAND ${BASH_PROGRAM} -c
                 "[[ -n \"\${LYNCEUS_PYPI:-}\" ]] || { echo 'LYNCEUS_PYPI is not set: not run'; exit 77; }; exec \"$0\" \"$1\""
                 ${CMAKE_SOURCE_DIR}/tools/check_transformers.sh $<TARGET_FILE:lynceus>)
set_tests_properties(oracle.transformers PROPERTIES LABELS pypi TIMEOUT 1800 SKIP_RETURN_CODE 77
                     PROCESSORS ${both_cores})
