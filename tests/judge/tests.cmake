# lynceus-judge and a server on loopback with faults: 60 of them here, 1,000 in the full form.
if(NOT TARGET lynceus-judge OR NOT Python3_FOUND)
  return()
endif()
foreach(form IN ITEMS "judge.rounds;60;fault" "judge.rounds_full;1000;fault_full")
  list(GET form 0 name)
  list(GET form 1 faults)
  list(GET form 2 label)
  set(configuration)
  if(label STREQUAL fault_full)
    set(configuration CONFIGURATIONS full)
  endif()
  add_test(NAME ${name} ${configuration}
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/judge/judge_rounds.py
                   $<TARGET_FILE:lynceus-judge> ${faults} 1)
  set_tests_properties(${name} PROPERTIES LABELS "unit;${label}" TIMEOUT 600
                       ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()
add_test(NAME judge.evaluate
         COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/judge/judge_evaluate.py $<TARGET_FILE:lynceus>)
set_tests_properties(judge.evaluate PROPERTIES LABELS unit TIMEOUT 120 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
