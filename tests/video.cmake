# Tests of videos start the program that decodes them.
if(TARGET lynceus-frames AND TARGET prepare_video_test)
  add_dependencies(prepare_video_test lynceus-frames)
endif()
