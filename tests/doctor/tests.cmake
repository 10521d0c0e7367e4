# Defects of machines, made on this one: a stand-in for the GPU library, and a library that is loaded before
# the program and makes calls fail.
add_library(nvml_standin MODULE ${CMAKE_CURRENT_SOURCE_DIR}/doctor/nvml_standin.c)
target_link_libraries(nvml_standin PRIVATE lynceus_warnings)
add_library(doctor_defects MODULE ${CMAKE_CURRENT_SOURCE_DIR}/doctor/defects.c)
target_include_directories(doctor_defects PRIVATE $<TARGET_PROPERTY:MPI::MPI_C,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(doctor_defects PRIVATE ${CMAKE_DL_LIBS})

file(GLOB doctor_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/doctor/*_test.cpp)
foreach(source ${doctor_tests})
  get_filename_component(name ${source} NAME_WE)
  # The same for all of them: they share a precompiled header.
  target_compile_definitions(doctor_${name} PRIVATE LYNCEUS_NVML_STANDIN="$<TARGET_FILE:nvml_standin>"
                             LYNCEUS_DEFECTS="$<TARGET_FILE:doctor_defects>")
  if(name MATCHES "defects_test$")
    add_dependencies(doctor_${name} lynceus nvml_standin doctor_defects)
    set_tests_properties(doctor.${name} PROPERTIES LABELS "unit;mpi;fault" TIMEOUT 300 PROCESSORS 2)
  endif()
endforeach()

# The messages between devices, on the stand-in for them: nothing is found.
if(TARGET lynceus_standin)
  foreach(transport ${transports})
    add_test(NAME doctor.device.${transport}
             COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe -n 2 $<TARGET_FILE:lynceus_standin> doctor --quick
                     --device cuda --transport ${transport} --parallel.tensor 2)
    set_tests_properties(doctor.device.${transport} PROPERTIES LABELS "mpi;simt" TIMEOUT 120 PROCESSORS 2
                         ENVIRONMENT "${mpi_environment};LYNCEUS_STANDIN_DEVICES=2;LYNCEUS_NVML=$<TARGET_FILE:nvml_standin>")
  endforeach()
endif()

# No finding on this machine; half of the fifty runs of the full form are without --quick.
lynceus_counted_test(doctor.clean SHORT 10 FULL 50
                     COMMAND ${BASH_PROGRAM} ${CMAKE_CURRENT_SOURCE_DIR}/doctor/clean_rounds.sh
                             $<TARGET_FILE:lynceus> ${CMAKE_SOURCE_DIR})
