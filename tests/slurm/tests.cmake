# Slurm: the texts of `lynceus submit`, and jobs on a real Slurm that each test starts for itself (label slurm).
# Those are skipped where slurm-wlm is not installed, or without root.
foreach(name texts text_runs)
  add_test(NAME slurm.${name} COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/slurm/${name}.sh
           $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR})
  set_tests_properties(slurm.${name} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()

file(GLOB scenarios CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/slurm/scenarios/*.sh)
foreach(scenario ${scenarios})
  get_filename_component(name ${scenario} NAME_WE)
  add_test(NAME slurm.job.${name} COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/slurm/run.sh
           $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR} ${name})
  set_tests_properties(slurm.job.${name} PROPERTIES LABELS slurm TIMEOUT 400 SKIP_RETURN_CODE 77
                       PROCESSORS 2)
endforeach()

# The same faults many times, with random numbers: ctest -C full -L slurm_full. tests/slurm/count.sh also writes the
# figures to results/.
file(GLOB counted CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/slurm/counted/*.sh)
foreach(scenario ${counted})
  get_filename_component(name ${scenario} NAME_WE)
  add_test(NAME slurm.job.${name} CONFIGURATIONS full
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/slurm/run.sh $<TARGET_FILE:lynceus>
                   ${CMAKE_SOURCE_DIR} ${name})
  set_tests_properties(slurm.job.${name} PROPERTIES LABELS slurm_full TIMEOUT 3600 SKIP_RETURN_CODE 77
                       PROCESSORS 2)
endforeach()
