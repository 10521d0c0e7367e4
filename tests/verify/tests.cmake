# `lynceus verify` over every reference case of tests/golden, and over the larger ones of
# LYNCEUS_GOLDEN_DIR where that is set when the tests run: every grid with every schedule. Micro-batches
# of one sample fill every pipeline. The tolerances are the same on every grid.

file(GLOB configs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/golden/*/config.json)
set(verify_cases)
foreach(config ${configs})
  get_filename_component(directory ${config} DIRECTORY)
  list(APPEND verify_cases ${directory})
endforeach()
set(large_cases bigger bridge_affine bridge_mlp left_pad llm_trained prefix_image prefix_video
    res_interp text_only)

# lynceus_ranks(RESULT "T P D"): the number of ranks of a grid.
function(lynceus_ranks result grid)
  string(REPLACE " " "*" product ${grid})
  math(EXPR ranks "${product}")
  set(${result} ${ranks} PARENT_SCOPE)
endfunction()

# lynceus_verify(NAME GRID REFUSED OPTIONS CASE...): the case names in REFUSED must be refused on GRID.
set(verify_program lynceus)
function(lynceus_verify name grid refused options)
  lynceus_ranks(ranks ${grid})
  add_test(NAME verify.${name}
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/verify/verify_grids.sh
                   ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:${verify_program}> ${grid} "${refused}"
                   -- ${options} -- ${ARGN})
  set_tests_properties(verify.${name} PROPERTIES LABELS mpi ENVIRONMENT "${mpi_environment}"
                       TIMEOUT 300 PROCESSORS ${ranks} SKIP_RETURN_CODE 77)
endfunction()

set(one_by_one --train.micro_batch_tokens 1)
lynceus_verify(plain "1 1 1" "" "" ${verify_cases})
lynceus_verify(plain.avx2 "1 1 1" "" "" ${verify_cases})
set_property(TEST verify.plain.avx2 APPEND PROPERTY ENVIRONMENT LYNCEUS_ISA=avx2)
foreach(grid "1 1 1" "2 1 1" "1 2 1" "1 1 2" "2 2 1" "2 2 2")
  string(REPLACE " " "x" grid_name ${grid})
  # Cases whose heads (or key/value heads) two tensor ranks cannot divide.
  set(refused "")
  if(grid MATCHES "^2")
    set(refused "text_left three_heads wide_mlp")
  endif()
  foreach(schedule gpipe 1f1b)
    set(options ${one_by_one} --parallel.schedule ${schedule})
    if(schedule STREQUAL 1f1b)
      list(APPEND options --train.vision_window 3)
    else()
      list(APPEND options --train.recompute layer)
    endif()
    lynceus_verify(${grid_name}.${schedule} ${grid} "${refused}" "${options}" ${verify_cases})
  endforeach()

  lynceus_ranks(ranks ${grid})
  set(large ${CMAKE_CURRENT_SOURCE_DIR}/verify/verify_large.sh)
  add_test(NAME verify.large.${grid_name}
           COMMAND ${BASH_PROGRAM} ${large} ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:lynceus> ${grid}
                   ${large_cases})
  set_tests_properties(verify.large.${grid_name} PROPERTIES LABELS mpi
                       ENVIRONMENT "${mpi_environment}" TIMEOUT 300 PROCESSORS ${ranks}
                       SKIP_RETURN_CODE 77)
endforeach()
lynceus_verify(odd_heads.3x1x1 "3 1 1" "" "${one_by_one}"
               ${CMAKE_CURRENT_SOURCE_DIR}/golden/three_heads
               ${CMAKE_CURRENT_SOURCE_DIR}/golden/odd_layers)
lynceus_verify(odd_heads.5x1x1 "5 1 1" "" "${one_by_one}"
               ${CMAKE_CURRENT_SOURCE_DIR}/golden/wide_mlp)

# A given partition of the layers: few on the stage with the embedding, few on the stage with the head.
foreach(layers "1,3" "3,1")
  lynceus_verify(layers.${layers} "2 2 1" "" "${one_by_one};--parallel.layers;${layers}"
                 ${CMAKE_CURRENT_SOURCE_DIR}/golden/prefix_image
                 ${CMAKE_CURRENT_SOURCE_DIR}/golden/grouped_kv)
endforeach()

add_test(NAME verify.exit_codes
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/verify/verify_exit.sh ${MPIEXEC_EXECUTABLE}
                 $<TARGET_FILE:lynceus> ${CMAKE_CURRENT_SOURCE_DIR}/golden/smoothing)
set_tests_properties(verify.exit_codes PROPERTIES LABELS mpi ENVIRONMENT "${mpi_environment}"
                     TIMEOUT 120 PROCESSORS 2)

lynceus_verify(bf16.cpu "1 1 1" "" "--precision;bf16" ${verify_cases})

# Cases of generation: greedy decoding, beams, sampling and beam sampling with given draws.
file(GLOB configs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/golden/generation/*/config.json)
set(generation_cases)
foreach(config ${configs})
  get_filename_component(directory ${config} DIRECTORY)
  list(APPEND generation_cases ${directory})
endforeach()
foreach(grid "1 1 1" "2 1 1" "1 2 1" "1 1 2" "2 2 1" "2 2 2")
  string(REPLACE " " "x" grid_name ${grid})
  lynceus_verify(generation.${grid_name} ${grid} "" "" ${generation_cases})
endforeach()
lynceus_verify(generation.bf16 "1 1 1" "" "--precision;bf16" ${generation_cases})

# The same on the CUDA path, on the stand-in for the device: all cases on one rank, some on grids.
if(TARGET lynceus_standin)
  set(verify_program lynceus_standin)
  set(on_cuda --device cuda)
  set(grid_cases)
  foreach(case prefix_image prefix_video grouped_kv turns)
    list(APPEND grid_cases ${CMAKE_CURRENT_SOURCE_DIR}/golden/${case})
  endforeach()
  lynceus_verify(cuda.1x1x1 "1 1 1" "" "${on_cuda}" ${verify_cases})
  lynceus_verify(cuda.2x1x1 "2 1 1" "" "${on_cuda};${one_by_one}" ${grid_cases})
  lynceus_verify(cuda.1x2x2 "1 2 2" "" "${on_cuda};${one_by_one};--train.vision_window;1" ${grid_cases})
  lynceus_verify(cuda.2x2x2 "2 2 2" "" "${on_cuda};${one_by_one};--train.recompute;layer"
                 ${grid_cases})
  set(bf16_cases)
  foreach(case smoothing rope_video grouped_kv wide_mlp text_left llm_trained_grouped turns)
    list(APPEND bf16_cases ${CMAKE_CURRENT_SOURCE_DIR}/golden/${case})
  endforeach()
  lynceus_verify(bf16.cuda "1 1 1" "" "${on_cuda};--precision;bf16" ${bf16_cases})
  lynceus_verify(cuda.generation "1 1 1" "" "${on_cuda}" ${generation_cases})
  lynceus_verify(cuda.generation.2x2x1 "2 2 1" "" "${on_cuda}"
                 ${CMAKE_CURRENT_SOURCE_DIR}/golden/generation/penalties)
  foreach(test cuda.1x1x1 cuda.2x1x1 cuda.1x2x2 cuda.2x2x2 bf16.cuda cuda.generation
               cuda.generation.2x2x1)
    set_tests_properties(verify.${test} PROPERTIES LABELS "mpi;simt")
  endforeach()
  set(verify_program lynceus)
endif()
