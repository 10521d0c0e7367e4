# The tiers of the tests. Every test has one of two labels:
#   quick   tools/test.sh without arguments: no test over about two seconds on two cores
#   full    all others; with `tools/test.sh --all` both tiers run
# A test is in the full tier if it has one of LYNCEUS_FULL_LABELS or is named in LYNCEUS_FULL_TESTS.
set(LYNCEUS_FULL_LABELS simt fuzz fuzz_full fault slow pypi gpu)

# Measured: over two seconds on two cores (ctest -j2).
set(LYNCEUS_FULL_TESTS
)

# Called at the end of each folder that adds tests. Sets the tier of every test of the folder, and gives
# each its own folder for the session files of Open MPI: programs outside mpirun share one by default,
# and a program that ends removes it while another one starts.
function(lynceus_settle_tests)
  get_property(tests DIRECTORY PROPERTY TESTS)
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(number 0)
  foreach(test ${tests})
    get_property(labels TEST ${test} PROPERTY LABELS)
    set(tier quick)
    foreach(label ${labels})
      if(label IN_LIST LYNCEUS_FULL_LABELS)
        set(tier full)
      endif()
    endforeach()
    if(test IN_LIST LYNCEUS_FULL_TESTS)
      set(tier full)
    endif()
    set_property(TEST ${test} APPEND PROPERTY LABELS ${tier})
    if(tier STREQUAL quick AND test MATCHES "^([a-z0-9]+)\\.([a-z0-9_]+)")
      if(TARGET ${CMAKE_MATCH_1}_${CMAKE_MATCH_2})
        set_property(GLOBAL APPEND PROPERTY LYNCEUS_QUICK_PROGRAMS ${CMAKE_MATCH_1}_${CMAKE_MATCH_2})
      endif()
    endif()

    math(EXPR number "${number} + 1")
    set(sessions ${CMAKE_BINARY_DIR}/sessions/${folder}-${number})
    file(MAKE_DIRECTORY ${sessions})
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT OMPI_MCA_orte_tmpdir_base=${sessions})
  endforeach()
endfunction()

# The target `quick`: the programs that the quick tier runs, which build in less time than everything.
function(lynceus_add_quick_target)
  get_property(programs GLOBAL PROPERTY LYNCEUS_QUICK_PROGRAMS)
  list(APPEND programs lynceus)
  foreach(program lynceus-frames lynceus_bf16_processor bench_step)
    if(TARGET ${program})
      list(APPEND programs ${program})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES programs)
  add_custom_target(quick)
  add_dependencies(quick ${programs})
endfunction()
