# Headers of libraries that nearly every file includes, compiled once for all rooms with the same flags.
# That halves a build from nothing, but it hides a missing #include, which the preset ci shows.
#   OFF     no precompiled headers
#   TESTS   for the tests only: the product compiles without, so that a missing #include shows
#   ON      for the rooms and the tests
set(LYNCEUS_PCH OFF CACHE STRING "Precompile the headers of libraries: OFF, TESTS or ON")
set(LYNCEUS_PCH_ROOMS FALSE)
if(LYNCEUS_PCH AND NOT LYNCEUS_PCH STREQUAL TESTS)
  set(LYNCEUS_PCH_ROOMS TRUE)
endif()
set(LYNCEUS_PCH_HEADERS <fmt/format.h> <algorithm> <filesystem> <functional> <map> <memory> <string>
    <vector>)

# lynceus_room(NAME SOURCES DIR... LINKS TARGET... [HEADERS_OF ROOM]): the static library of one room.
# HEADERS_OF: an earlier room with the same flags, whose precompiled headers this one uses too.
function(lynceus_room name)
  cmake_parse_arguments(ROOM "" "HEADERS_OF" "SOURCES;LINKS" ${ARGN})
  set(files)
  foreach(directory ${ROOM_SOURCES})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${directory}/*.cpp)
    list(APPEND files ${found})
  endforeach()
  list(FILTER files EXCLUDE REGEX "/main\\.cpp$")
  if(files)
    add_library(lynceus_${name} STATIC ${files})
    set(scope PUBLIC)
    if(LYNCEUS_PCH_ROOMS AND ROOM_HEADERS_OF)
      target_precompile_headers(lynceus_${name} REUSE_FROM lynceus_${ROOM_HEADERS_OF})
    elseif(LYNCEUS_PCH_ROOMS)
      target_precompile_headers(lynceus_${name} PRIVATE ${LYNCEUS_PCH_HEADERS})
    endif()
  else()
    add_library(lynceus_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(lynceus_${name} ${scope} ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(lynceus_${name} ${scope} ${ROOM_LINKS} lynceus_flags)
endfunction()

add_library(lynceus_warnings INTERFACE)
add_library(lynceus_flags INTERFACE)
target_link_libraries(lynceus_flags INTERFACE lynceus_warnings)
# No -Wrestrict: GCC 12 reports std::string concatenation as overlapping copies (GCC bug 105651).
# nvcc does not know these options.
target_compile_options(lynceus_warnings INTERFACE
                       "$<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wno-restrict>"
                       $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
# In a precompiled header GCC 12 takes std::string for code of the project and warns wrongly about it.
set(LYNCEUS_PCH_OPTIONS
    "$<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND LYNCEUS_PCH_OPTIONS $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)  # for ccache
endif()
if(LYNCEUS_PCH_ROOMS)
  target_compile_options(lynceus_warnings INTERFACE ${LYNCEUS_PCH_OPTIONS})
endif()
if(LYNCEUS_WERROR)
  target_compile_options(lynceus_warnings INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(LYNCEUS_SANITIZE)
  # GCC's manual: in instrumented code -Wmaybe-uninitialized reports values that are initialized.
  target_compile_options(lynceus_flags INTERFACE -fsanitize=${LYNCEUS_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all
                         -Wno-maybe-uninitialized)
  target_link_options(lynceus_flags INTERFACE -fsanitize=${LYNCEUS_SANITIZE})
  if(LYNCEUS_SANITIZE MATCHES "address")
    target_link_options(lynceus_flags INTERFACE -Wl,-u,lynceus_sanitizer_options)
  endif()
endif()
