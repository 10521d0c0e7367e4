# Tests of the whole program: they start ranks of their own. Those that compute or ask how soon
# something is noticed have both cores.
foreach(name resume stage bad_input config_values stop help weights save_fault rank_fault takeover
        photos layout prepare_sources prepare_video export inspect
        mixture)
  if(TARGET cli_${name}_test)
    add_dependencies(cli_${name}_test lynceus)
    set(labels unit mpi)
    if(name MATCHES "stop|fault|takeover|sources")
      list(APPEND labels fault)
    endif()
    if(name STREQUAL photos)
      set(labels mpi slow)
    endif()
    set(load ${waits})
    if(name MATCHES "photos|rank_fault|stop|takeover")
      set(load ${both_cores})
    endif()
    set_tests_properties(cli.${name}_test PROPERTIES LABELS "${labels}" PROCESSORS ${load})
  endif()
endforeach()
