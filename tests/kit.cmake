# The kit that checks and measures a GPU: what it tells, by stand-ins for the programs; and a bundle of
# this build, rehearsed where it was moved to.

find_program(BASH_PROGRAM bash REQUIRED)
find_package(Python3 3.8 QUIET COMPONENTS Interpreter)
if(NOT Python3_FOUND)
  message(STATUS "No Python: the GPU kit is not tested")
  return()
endif()
add_test(NAME kit.guards
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/kit_guards.sh ${CMAKE_SOURCE_DIR})
add_test(NAME kit.rehearsal
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/kit_rehearsal.sh ${CMAKE_SOURCE_DIR}
                 ${CMAKE_BINARY_DIR})
set_tests_properties(kit.guards kit.rehearsal PROPERTIES LABELS unit TIMEOUT 180 PROCESSORS ${both_cores})
