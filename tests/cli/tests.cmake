# Tests that start programs of their own: lynceus, with and without mpirun, or lynceus-frames. Most of
# their time they wait for programs to start and to end, so each keeps one core busy; those of the
# following list compute on several ranks at once.
set(cli_ranks background_save 2 background_save_fault 2 background_save_stop 2 crash_loop_fault 2 job_end_stop 2
    nonfinite_fault 2 nonfinite_resume_fault 2 photos 4 rank_fault 2 replica_fault 2 requeue_fault 2 stop 2 stop_launcher 2
    takeover 2 watchdog_fault 2)
file(GLOB cli_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*_test.cpp)
foreach(source ${cli_tests})
  get_filename_component(name ${source} NAME_WE)
  string(REGEX REPLACE "_test$" "" name ${name})
  add_dependencies(cli_${name}_test lynceus)
  set(labels unit mpi)
  if(name MATCHES "stop|fault|takeover|sources|restart|trial|race")
    list(APPEND labels fault)
  elseif(name STREQUAL photos)
    set(labels mpi slow)
  endif()
  set_tests_properties(cli.${name}_test PROPERTIES LABELS "${labels}")
  list(FIND cli_ranks ${name} at)
  if(at GREATER -1)
    math(EXPR at "${at} + 1")
    list(GET cli_ranks ${at} ranks)
    set_tests_properties(cli.${name}_test PROPERTIES PROCESSORS ${ranks})
  endif()
endforeach()

# The calls of file locks fail in the programs that the test starts.
add_library(without_locks MODULE ${CMAKE_CURRENT_SOURCE_DIR}/cli/without_locks.cpp)
target_link_libraries(without_locks PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(cli_file_locks_test without_locks)
target_compile_definitions(cli_file_locks_test PRIVATE
                           LYNCEUS_WITHOUT_LOCKS="$<TARGET_FILE:without_locks>")

# Kills the writers of checkpoints.
set_tests_properties(io.checkpoint_fault_test PROPERTIES LABELS "unit;fault")

if(TARGET lynceus-frames AND TARGET prepare_video_test)
  add_dependencies(prepare_video_test lynceus-frames)
endif()

# Memory while weights are loaded, on two ranks too: each of them holds more than on four.
lynceus_mpi_test(model.load_memory_on_two_ranks 2 $<TARGET_FILE:model_load_memory_mpi4_test>)

# Which device the program chooses and what it logs, on the stand-in for devices.
if(TARGET lynceus_standin)
  add_test(NAME cli.runtime_choice
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/runtime_choice.sh
                   ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:lynceus_standin>
                   ${CMAKE_CURRENT_SOURCE_DIR}/golden/text_only)
  set_tests_properties(cli.runtime_choice PROPERTIES LABELS "mpi;simt" TIMEOUT 120 PROCESSORS 3
                       ENVIRONMENT "${mpi_environment}")
  add_test(NAME cli.background_save_device
           COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/background_save_device.sh
                   ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:lynceus_standin> ${CMAKE_SOURCE_DIR})
  set_tests_properties(cli.background_save_device PROPERTIES LABELS "mpi;simt" TIMEOUT 120 PROCESSORS 2
                       ENVIRONMENT "${mpi_environment}")
  foreach(transport ${transports})
    add_test(NAME cli.watchdog_device.${transport}
             COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/watchdog_device.sh
                     ${MPIEXEC_EXECUTABLE} $<TARGET_FILE:lynceus_standin> ${CMAKE_SOURCE_DIR}
                     ${transport})
    set_tests_properties(cli.watchdog_device.${transport} PROPERTIES
                         LABELS "mpi;simt;fault" TIMEOUT 300 PROCESSORS 3
                         ENVIRONMENT "${mpi_environment}")
  endforeach()
endif()

# Stops by signals at many moments, with the full counts: 72 with --ranks, 28 under mpirun.
add_test(NAME cli.stop_rounds CONFIGURATIONS full
         COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/stop_rounds.sh $<TARGET_FILE:lynceus>
                 ${CMAKE_SOURCE_DIR} 4)
set_tests_properties(cli.stop_rounds PROPERTIES LABELS fault_full TIMEOUT 5400 PROCESSORS 2)

# Runs with random ends of their job.
lynceus_counted_test(cli.job_end_rounds SHORT 3 FULL 20
                     COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/cli/job_end_rounds.sh
                             $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR})
