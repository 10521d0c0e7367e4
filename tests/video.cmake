# Tests of videos start the program that decodes them.
if(TARGET lynceus-frames AND TARGET io_source_video_test)
  add_dependencies(io_source_video_test lynceus-frames)
endif()
