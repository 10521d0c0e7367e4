# The page of the sheet for raters of OwlEval, run by node: skipped without it.
add_test(NAME evaluate.owleval_sheet
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/evaluate/owleval_sheet.sh
                 $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR})
set_tests_properties(evaluate.owleval_sheet PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
