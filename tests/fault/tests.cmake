# Faults that are repeated many times: kills, failing calls, damage, restarts, and what the detectors see. ctest -L fault
# has a few rounds, `ctest -C full -L fault_full` the counts of the row and a line of JSON in BUILD/fault-report/.
if(NOT Python3_FOUND)
  message(STATUS "No Python 3.8 or newer: the tests of repeated faults are left out")
  return()
endif()

foreach(library failing_calls last_synced)
  add_library(${library} MODULE ${CMAKE_CURRENT_SOURCE_DIR}/fault/${library}.cpp)
  target_link_libraries(${library} PRIVATE ${CMAKE_DL_LIBS})
endforeach()

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
lynceus_rounds(power_cuts INPUT $<TARGET_FILE:last_synced> SHORT --cuts 3)
lynceus_rounds(failing_calls INPUT $<TARGET_FILE:failing_calls> SHORT --most 1 --stride 9
               --by-turns --file checkpoints)
# Hanging ranks, NaNs and flipped bits have their short forms in tests/cli.
lynceus_rounds(detector_rounds INPUT $<TARGET_FILE:failing_calls>
               SHORT --hangs 0 --stragglers 1 --nans 1 --flips 1 --launchers 2 --disks 2 --slow 1 --delay 4
                     --clean 0)
lynceus_rounds(restart_rounds SHORT --flips 4 --steps 2 --pairs 2)
