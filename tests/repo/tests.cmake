# Checks of the repository itself, label repo (-DLYNCEUS_REPO_CHECKS=OFF leaves them out): structure,
# format, scripts, what is installed, the pages of docs/, the GPU kit.

# lynceus_repo_test(NAME COMMAND...): a check of the repository.
function(lynceus_repo_test name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "unit;repo" TIMEOUT 180 SKIP_RETURN_CODE 77
                       ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endfunction()

# lynceus_repo_script(NAME SCRIPT ARGUMENTS...): a bash script of this folder.
function(lynceus_repo_script name script)
  lynceus_repo_test(${name} ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/repo/${script} ${ARGN})
endfunction()

lynceus_repo_script(setup setup_check.sh ${CMAKE_SOURCE_DIR})
lynceus_repo_script(demo.guards demo_check.sh ${CMAKE_SOURCE_DIR})
lynceus_repo_script(install install_check.sh ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR})
lynceus_repo_script(docs docs_check.sh ${CMAKE_SOURCE_DIR} $<TARGET_FILE:lynceus>)
set_tests_properties(docs PROPERTIES TIMEOUT 400)  # runs every page
set_property(TEST install docs APPEND PROPERTY ENVIRONMENT OMP_NUM_THREADS=1
             OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1)
lynceus_repo_script(format format_check.sh ${CMAKE_SOURCE_DIR})
lynceus_repo_script(simt.lint simt_lint.sh ${CMAKE_SOURCE_DIR})
lynceus_repo_script(simt.lint.fires simt_lint_fires.sh)
set_tests_properties(simt.lint simt.lint.fires PROPERTIES LABELS "unit;repo;simt")

# clang-tidy over a few files; over the whole tree with `ctest -C full -R tidy_full`, which takes long.
lynceus_repo_script(tidy tidy_check.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
add_test(NAME tidy_full CONFIGURATIONS full
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/repo/tidy_check.sh ${CMAKE_SOURCE_DIR}
                 ${CMAKE_BINARY_DIR} --all)
set_tests_properties(tidy tidy_full PROPERTIES LABELS repo PROCESSORS 2 TIMEOUT 3600
                     SKIP_RETURN_CODE 77)

find_program(SHELLCHECK_PROGRAM shellcheck)
if(SHELLCHECK_PROGRAM)
  file(GLOB_RECURSE shell_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tools/*.sh
       ${CMAKE_SOURCE_DIR}/tests/*.sh ${CMAKE_SOURCE_DIR}/bench/*.sh)
  lynceus_repo_test(shellcheck ${SHELLCHECK_PROGRAM} -x ${shell_files} ${CMAKE_SOURCE_DIR}/.ci/run)
endif()

if(NOT Python3_FOUND)
  message(STATUS "No Python 3.8 or newer: the structure of the tree and the GPU kit are not checked")
  return()
endif()
lynceus_repo_test(structure ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/repo/structure.py
                  ${CMAKE_SOURCE_DIR})
lynceus_repo_test(structure.fires ${Python3_EXECUTABLE}
                  ${CMAKE_CURRENT_SOURCE_DIR}/repo/structure_fires.py)

# Pages that say what the program writes and needs.
lynceus_repo_test(docs.reference ${Python3_EXECUTABLE}
                  ${CMAKE_CURRENT_SOURCE_DIR}/repo/reference_check.py
                  ${CMAKE_SOURCE_DIR}/docs/reference.md $<TARGET_FILE:lynceus>)
lynceus_repo_test(docs.outputs ${Python3_EXECUTABLE}
                  ${CMAKE_CURRENT_SOURCE_DIR}/repo/outputs_check.py
                  ${CMAKE_SOURCE_DIR}/docs/outputs.md ${CMAKE_SOURCE_DIR} $<TARGET_FILE:lynceus>)
lynceus_repo_test(docs.messages ${Python3_EXECUTABLE}
                  ${CMAKE_CURRENT_SOURCE_DIR}/repo/messages_check.py
                  ${CMAKE_SOURCE_DIR}/docs/messages.md ${CMAKE_SOURCE_DIR})
lynceus_repo_test(sizes ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/repo/sizes_check.py
                  ${CMAKE_SOURCE_DIR} $<TARGET_FILE:lynceus>)
set_tests_properties(sizes PROPERTIES PROCESSORS 4)  # ranks

# The GPU kit: what it reports, with stand-ins for the programs; a bundle of this build, rehearsed in
# another folder; its ratios.
lynceus_repo_script(kit.guards kit_guards.sh ${CMAKE_SOURCE_DIR})
if(LYNCEUS_BENCH AND NOT LYNCEUS_SANITIZE)  # a bundle has the benchmarks, and only system libraries
  lynceus_repo_script(kit.rehearsal kit_rehearsal.sh ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
  set_tests_properties(kit.rehearsal PROPERTIES PROCESSORS 4)  # ranks
endif()
lynceus_repo_test(kit.figures ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/gpu-kit/gpu_figures_test.py)
