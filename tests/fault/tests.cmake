# Faults that are repeated many times: kills, failing calls of the operating system, damage and restarts. ctest -L fault
# has a few rounds, `ctest -C full -L fault_full` the counts of the row and a line of JSON in BUILD/fault-report/.
if(NOT Python3_FOUND)
  message(STATUS "No Python 3.8 or newer: the tests of repeated faults are left out")
  return()
endif()

add_library(failing_calls MODULE ${CMAKE_CURRENT_SOURCE_DIR}/fault/failing_calls.cpp)
target_link_libraries(failing_calls PRIVATE ${CMAKE_DL_LIBS})

# lynceus_rounds(NAME [INPUT ...] SHORT ARGUMENT...): the tests fault.NAME and fault.NAME_full by NAME.py.
function(lynceus_rounds name)
  cmake_parse_arguments(PARSE_ARGV 1 rounds "" "" "INPUT;SHORT")
  lynceus_counted_test(fault.${name}
                       COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/fault/${name}.py
                               $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR} ${rounds_INPUT}
                       SHORT ${rounds_SHORT}
                       FULL --report ${CMAKE_BINARY_DIR}/fault-report/${name}.json)
endfunction()

lynceus_rounds(kill_rounds SHORT --steps 3 --phases 4 --times 2)
lynceus_rounds(failing_calls INPUT $<TARGET_FILE:failing_calls> SHORT --most 1 --stride 9
               --file checkpoints)
lynceus_rounds(restart_rounds SHORT --flips 4 --steps 2 --pairs 2)
