# Tests that start ranks of their own and kill or starve them have a label of their own.
if(TARGET io_checkpoint_fault_test)
  set_tests_properties(io.checkpoint_fault_test PROPERTIES LABELS "unit;fault" PROCESSORS ${waits})
endif()
