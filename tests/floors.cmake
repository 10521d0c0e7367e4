# Checks of the tree itself: the floors of the house, the scripts, what is installed.

find_program(BASH_PROGRAM bash REQUIRED)
set(scripts ${CMAKE_CURRENT_SOURCE_DIR})

add_test(NAME floors COMMAND ${BASH_PROGRAM} ${scripts}/floors_check.sh ${CMAKE_SOURCE_DIR})
add_test(NAME floors.fires COMMAND ${BASH_PROGRAM} ${scripts}/floors_fire.sh)
add_test(NAME install
         COMMAND ${BASH_PROGRAM} ${scripts}/install_check.sh ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR})
add_test(NAME setup COMMAND ${BASH_PROGRAM} ${scripts}/setup_check.sh ${CMAKE_SOURCE_DIR})
add_test(NAME demo.guards COMMAND ${BASH_PROGRAM} ${scripts}/demo_check.sh ${CMAKE_SOURCE_DIR})
add_test(NAME docs
         COMMAND ${BASH_PROGRAM} ${scripts}/docs_check.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:lynceus>)
set_tests_properties(floors floors.fires install setup demo.guards docs PROPERTIES LABELS unit
                     TIMEOUT 180)
set_property(TEST install docs APPEND PROPERTY ENVIRONMENT OMP_NUM_THREADS=1
             OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)

find_program(SHELLCHECK_PROGRAM shellcheck)
if(SHELLCHECK_PROGRAM)
  file(GLOB shell_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/*.sh
       ${CMAKE_SOURCE_DIR}/tests/*.sh ${CMAKE_SOURCE_DIR}/tests/oracle/*.sh
       ${CMAKE_SOURCE_DIR}/bench/*.sh ${CMAKE_SOURCE_DIR}/.ci/run)
  add_test(NAME shellcheck COMMAND ${SHELLCHECK_PROGRAM} -x ${shell_files})
  set_tests_properties(shellcheck PROPERTIES LABELS unit TIMEOUT 120)
endif()
