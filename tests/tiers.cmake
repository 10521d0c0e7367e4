# The tiers of the tests. Every test has one of two labels:
#   quick   tools/test.sh without arguments: no test over about two seconds on two cores
#   full    all others; with `tools/test.sh --all` both tiers run
# A test is in the full tier if it has one of LYNCEUS_FULL_LABELS, if its name matches one of
# LYNCEUS_FULL_FAMILIES and not LYNCEUS_QUICK_TESTS, or if it is one of LYNCEUS_FULL_TESTS.
set(LYNCEUS_FULL_LABELS simt fuzz fuzz_full fault fault_full slow slurm slurm_full pypi
    gpu)

# Families of tests that take long: the whole program, other programs as judges, the kernels a second time,
# reference cases over grids of ranks.
set(LYNCEUS_FULL_FAMILIES "^cli\\." "^judge\\.evaluate$" "^oracle\\." "\\.avx2$" "^verify\\.")
# Every reference case on one rank, some on several; the harness of `verify` itself.
set(LYNCEUS_QUICK_TESTS verify.plain verify.1x2x1.gpipe verify.1x1x2.gpipe verify.layers.1,3
    verify.generation.1x1x1 verify.odd_heads.3x1x1 verify.turns_test verify.verify_test)

# Other tests that take more than about two seconds, measured.
set(LYNCEUS_FULL_TESTS
    docs
    docs.outputs
    generate.decoder_mpi8_test
    generate.decoder_test
    io.checkpoint_mpi4_test
    io.checkpoint_test
    io.lease_race_test
    io.lease_test
    kernels.norm_test
    kit.guards
    kit.rehearsal
    model.load_memory_mpi4_test
    model.load_memory_on_two_ranks
    prepare.entries_test
    prepare.video_test
    sizes
    tidy
    tidy_full
    train.grid_law_mpi8_test)

# lynceus_tier(RESULT TEST): quick or full.
function(lynceus_tier result test)
  set(tier quick)
  get_property(labels TEST ${test} PROPERTY LABELS)
  foreach(label ${labels})
    if(label IN_LIST LYNCEUS_FULL_LABELS)
      set(tier full)
    endif()
  endforeach()
  foreach(family ${LYNCEUS_FULL_FAMILIES})
    if(test MATCHES "${family}" AND NOT test IN_LIST LYNCEUS_QUICK_TESTS)
      set(tier full)
    endif()
  endforeach()
  if(test IN_LIST LYNCEUS_FULL_TESTS)
    set(tier full)
  endif()
  set(${result} ${tier} PARENT_SCOPE)
endfunction()

# Called at the end of each folder that adds tests. Sets the tier of every test of the folder, and gives
# each its own folder for the session files of Open MPI: programs outside mpirun share one by default,
# and a program that ends removes it while another one starts.
function(lynceus_settle_tests)
  get_property(tests DIRECTORY PROPERTY TESTS)
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(number 0)
  foreach(test ${tests})
    lynceus_tier(tier ${test})
    set_property(TEST ${test} APPEND PROPERTY LABELS ${tier})
    string(REGEX REPLACE "^([a-z0-9]+)\\.([a-z0-9_]+).*" "\\1_\\2" program ${test})
    if(tier STREQUAL quick AND TARGET ${program})
      set_property(GLOBAL APPEND PROPERTY LYNCEUS_QUICK_PROGRAMS ${program})
    endif()

    math(EXPR number "${number} + 1")
    set(sessions ${CMAKE_BINARY_DIR}/sessions/${folder}-${number})
    file(MAKE_DIRECTORY ${sessions})
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT OMPI_MCA_orte_tmpdir_base=${sessions})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY LYNCEUS_ALL_TESTS ${tests})
endfunction()

# Called after the last folder. The target `quick` is the programs that the quick tier runs, which build in
# less time than everything. Warns of names above that no test has.
function(lynceus_finish_tests)
  get_property(programs GLOBAL PROPERTY LYNCEUS_QUICK_PROGRAMS)
  list(APPEND programs lynceus)
  foreach(program lynceus-frames lynceus-judge lynceus_bf16_processor bench_step)
    if(TARGET ${program})
      list(APPEND programs ${program})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES programs)
  add_custom_target(quick)
  add_dependencies(quick ${programs})

  get_property(tests GLOBAL PROPERTY LYNCEUS_ALL_TESTS)
  foreach(test ${LYNCEUS_QUICK_TESTS} ${LYNCEUS_FULL_TESTS})
    if(LYNCEUS_REPO_CHECKS AND LYNCEUS_BENCH AND NOT LYNCEUS_SANITIZE AND NOT test IN_LIST tests)
      message(WARNING "tests/tiers.cmake: no test has the name ${test}")
    endif()
  endforeach()
endfunction()
