# Headers of others that nearly every file reads, compiled once a target: a build from nothing is done
# sooner. Not by default: it keeps ccache from sharing what two checkouts compile, and hides that a file
# misses an #include.
option(LYNCEUS_PCH "Precompile the headers of libraries" OFF)
set(LYNCEUS_PCH_HEADERS <fmt/format.h> <algorithm> <filesystem> <functional> <map> <memory> <string>
    <vector>)

# lynceus_room(NAME SOURCES DIR... LINKS TARGET...): the static library of one room of the house.
function(lynceus_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
  set(files)
  foreach(directory ${ROOM_SOURCES})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${directory}/*.cpp)
    list(APPEND files ${found})
  endforeach()
  list(REMOVE_ITEM files ${CMAKE_SOURCE_DIR}/src/cli/main.cpp)
  if(files)
    add_library(lynceus_${name} STATIC ${files})
    set(scope PUBLIC)
    if(LYNCEUS_PCH)
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
# GCC 12 reports std::string concatenation as overlapping copies (its bug 105651): no -Wrestrict.
# nvcc has other words.
target_compile_options(lynceus_warnings INTERFACE
                       "$<$<COMPILE_LANGUAGE:C,CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wno-restrict>"
                       $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(LYNCEUS_PCH)
  # Through a precompiled header GCC 12 forgets that std::string is the system's, and tells of what it
  # wrongly suspects there.
  target_compile_options(lynceus_warnings INTERFACE
                         "$<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
endif()
if(LYNCEUS_WERROR)
  target_compile_options(lynceus_warnings INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(LYNCEUS_SANITIZE)
  # GCC's own advice: instrumented code makes it see values "maybe uninitialized" in its library.
  target_compile_options(lynceus_flags INTERFACE -fsanitize=${LYNCEUS_SANITIZE}
                         -fno-omit-frame-pointer -fno-sanitize-recover=all
                         -Wno-maybe-uninitialized)
  target_link_options(lynceus_flags INTERFACE -fsanitize=${LYNCEUS_SANITIZE})
  if(LYNCEUS_SANITIZE MATCHES "address")
    target_link_options(lynceus_flags INTERFACE -Wl,-u,lynceus_sanitizer_options)
  endif()
endif()
