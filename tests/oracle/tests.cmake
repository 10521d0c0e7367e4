# Other programs check what Lynceus reads and writes: torch and h5py, where a python3 has them.
foreach(judge torch h5py)
  set(name ${judge})
  set(programs $<TARGET_FILE:lynceus>)
  if(judge STREQUAL torch)
    set(name torch_files)
    set(programs $<TARGET_FILE:io_torch_file_test> $<TARGET_FILE:lynceus>)
  endif()
  add_test(NAME oracle.${name}
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle/${judge}.sh ${CMAKE_SOURCE_DIR}
                   ${programs} ${MPIEXEC_EXECUTABLE})
  set_tests_properties(oracle.${name} PROPERTIES LABELS mpi TIMEOUT 300 SKIP_RETURN_CODE 77
                       ENVIRONMENT "${mpi_environment}")
endforeach()

# Takes transformers from PyPI, therefore only where LYNCEUS_PYPI is set.
add_test(NAME oracle.transformers
         COMMAND ${BASH_PROGRAM} -c
                 "[[ -n \"\${LYNCEUS_PYPI:-}\" ]] || { echo 'LYNCEUS_PYPI is not set: not run'; exit 77; }; exec \"$0\" \"$1\""
                 ${CMAKE_SOURCE_DIR}/tools/check_transformers.sh $<TARGET_FILE:lynceus>)
set_tests_properties(oracle.transformers PROPERTIES LABELS pypi TIMEOUT 1800 SKIP_RETURN_CODE 77
                     PROCESSORS 2)

# Pillow judges the decoders of pictures.
add_executable(decode_pictures oracle/decode_pictures.cpp)
target_link_libraries(decode_pictures PRIVATE lynceus_io)
add_test(NAME oracle.pillow
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle/pillow.sh ${CMAKE_SOURCE_DIR}
                 $<TARGET_FILE:decode_pictures>)
set_tests_properties(oracle.pillow PROPERTIES LABELS unit TIMEOUT 120 SKIP_RETURN_CODE 77)

# The model of the oracle gives the logits for the reference cases of generation.
add_executable(decode_rows oracle/decode_rows.cpp)
target_link_libraries(decode_rows PRIVATE lynceus_generate ${LYNCEUS_GPU})
add_test(NAME oracle.decoding
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/oracle/decoding.sh ${CMAKE_SOURCE_DIR}
                 $<TARGET_FILE:decode_rows>)
set_tests_properties(oracle.decoding PROPERTIES LABELS unit TIMEOUT 300 SKIP_RETURN_CODE 77
                     ENVIRONMENT "OMP_NUM_THREADS=1")
