// The pages of `lynceus prepare SOURCE --help`, above the list of options.
#pragma once

namespace lynceus::cli {

constexpr const char* kJsonlHelp =
    R"(usage: lynceus prepare jsonl --input FILE... --output DIR [options]

One object a line; pictures are JPEG, PNG or WebP files named relative to the file's folder:

  {"image": "images/1.jpg", "captions": ["a dog", "a brown dog"]}     one sample a caption
  {"image": "images/2.jpg", "question": "what is it?", "answer": "a cat"}
  {"text": "plain text"}

"images" or "frames" with a list of paths stand for several pictures or one video. Where a file calls
these fields otherwise, --map field=key says how, and only the fields named are read; a TSV file
(FILE.tsv) has its keys in the first line, or they are numbers of columns.

Each FILE becomes DIR/NAME.h5 (then NAME-1.h5 ... when it grows large) with NAME the file's own. Rows
that cannot be used are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare jsonl --input coco/captions.jsonl --output data/coco
  lynceus prepare jsonl --input vqa.jsonl --root /data/vqa --task vqa --output data/vqa
  lynceus prepare jsonl --input texts.jsonl --output data/texts --train-tokenizer 8000
  lynceus prepare jsonl --input pairs.tsv --map caption=1 image=2 --output data/pairs

)";

constexpr const char* kCocoHelp =
    R"(usage: lynceus prepare coco --input FILE... --root DIR --output DIR [options]

Captions in COCO's JSON: an object with the arrays "images" (id, file_name) and "annotations" (id,
image_id, caption), of any size. One sample an annotation, in the order of the annotations. Each FILE
becomes DIR/NAME.h5; what cannot be used is listed in DIR/NAME-rejects.jsonl.

  lynceus prepare coco --input annotations/captions_train2017.json --root train2017 \
      --output data/coco
  lynceus prepare coco --input captions.json --root images --captions first --dry-run

)";

constexpr const char* kLlavaHelp =
    R"(usage: lynceus prepare llava --input FILE... --root DIR --output DIR [options]

Conversations about pictures, a JSON array or one object a line:

  {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
                                                  {"from": "gpt", "value": "A cat."}]}

"image" may be a list or absent. Visual tokens stand in front of the text, so <image> is taken out
wherever it stands; there must be one a picture, or none at all. Every answer is learned. Answers
before the first question and a question without an answer at the end are left out.

  lynceus prepare llava --input llava_v1_5_mix665k.json --root /data/llava --output data/llava
  lynceus prepare llava --input chat.json --root images --check-pictures header --output data/chat

)";

constexpr const char* kOpenvqaHelp =
    R"(usage: lynceus prepare openvqa --input FILE... --root DIR --output DIR [options]

Lynx's Open-VQA, one object a line with the keys dataset, question, answer, index, image,
origin_dataset, class. Questions are scored by class, so each class becomes a dataset of its own,
DIR/NAME-CLASS.h5, whose task is the class. Of several answers the first counts. Of a video, named by
"video" in the place of "image", --frames frames are stored.

  lynceus prepare openvqa --input Open_VQA_images.jsonl --root /data/open_vqa --output data/openvqa
  lynceus prepare openvqa --input Open_VQA_videos.jsonl --root /data/open_vqa --output data/openvqa
  lynceus prepare openvqa --input Open_VQA_images.jsonl --root /data/open_vqa --dry-run

)";

constexpr const char* kTextHelp =
    R"(usage: lynceus prepare text --input FILE... --output DIR [options]

Instructions without pictures, a JSON array or one object a line, in the shapes of Alpaca and
ShareGPT:

  {"instruction": "Add.", "input": "2 2", "output": "4"}
  {"id": "1", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}

Answers are learned, questions are not; plain text is for the source jsonl.

  lynceus prepare text --input alpaca_data.json --output data/alpaca
  lynceus prepare text --input sharegpt.json --max-bad 0.1 --output data/sharegpt

)";

constexpr const char* kWebdatasetHelp =
    R"(usage: lynceus prepare webdataset --input FILE... --output DIR [options]

Tar files (.tar, .tar.gz, .tgz), as img2dataset writes them: neighbouring entries of one name up to
its first dot are one sample, a picture (.jpg .jpeg .png .webp) with a caption in .txt or, without
one, in .json ("caption", "captions", or "question" and "answer"). Other entries, links and devices
are passed over; nothing is extracted. Each FILE becomes DIR/NAME.h5.

  lynceus prepare webdataset --input cc3m/*.tar --output data/cc3m
  mpirun -n 16 lynceus prepare webdataset --input laion/*.tar --check-pictures header \
      --output data/laion

)";

constexpr const char* kVideoHelp =
    R"(usage: lynceus prepare video --input FILE... --output DIR [options]

One object a line; videos are mp4 (mov), avi or webm (mkv) files named relative to the file's folder:

  {"video": "clips/1.mp4", "captions": ["a dog runs", "a brown dog runs"]}     one sample a caption
  {"video": "clips/2.webm", "question": "what happens?", "answer": "a cat sleeps"}

Of each video --frames frames are stored as JPEG, those that the released Lynx code takes: it is cut
into so many runs of equal length, and the first frame of each stands for it; a shorter video gives
some of its frames more than once. --map field=key and TSV files as in the source jsonl.

A video is decoded by the program lynceus-frames beside this one, several at a time. One that crashes
it, takes longer than --video-timeout or wants too much memory is listed in DIR/NAME-rejects.jsonl as
other rows that cannot be used are.

  lynceus prepare video --input msrvtt.jsonl --root /data/msrvtt --task question --output data/msrvtt
  lynceus prepare video --input clips.tsv --map video=path caption=text --frames 8 --output data/clips
  mpirun -n 4 lynceus prepare video --input part-*.jsonl --root clips --output data/clips

)";

}  // namespace lynceus::cli
