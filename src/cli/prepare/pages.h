// The pages of `lynceus prepare SOURCE --help`, printed before the list of options.
#pragma once

namespace lynceus::cli {

constexpr const char* kJsonlHelp =
    R"(usage: lynceus prepare jsonl --input FILE... --output DIR [--OPTION VALUE]...

Reads JSON files, one object per line or an array of objects. Images are JPEG, PNG, WebP, GIF, BMP
or TIFF files; --root is the directory that their paths are relative to. Rows:

  {"image": "images/1.jpg", "captions": ["a dog", "a brown dog"]}        one sample per caption
  {"image": "images/2.jpg", "question": "what is it?", "answer": "a cat"}
  {"text": "plain text"}

"caption" is a single caption or a list. Instead of "image", "images" is a list of separate images
and "frames" is the list of frames of one video. A row with other content (a video, a conversation, a
context) is rejected by the name of its key. If the files use other keys, --map field=key names them,
and only the fields given there are read. TSV files (*.tsv) and CSV files (*.csv, RFC 4180) are read too: the
keys are in the first line, or they are column numbers from 1 and there is no such line. --format
names the format of files with other endings.

FILE becomes the dataset DIR/NAME.h5, NAME-1.h5 ..., where NAME is FILE without its extension. Rows
that cannot be used are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare jsonl --input coco/captions.jsonl --output data/coco
  lynceus prepare jsonl --input vqa.jsonl --root /data/vqa --task vqa --output data/vqa
  lynceus prepare jsonl --input texts.jsonl --output data/texts --train-tokenizer 8000
  lynceus prepare jsonl --input pairs.tsv --map caption=1 image=2 --output data/pairs
  lynceus prepare jsonl --input 'cc3m/*.csv' --map image=path caption=title --output data/cc3m

)";

constexpr const char* kCocoHelp =
    R"(usage: lynceus prepare coco --input FILE... --output DIR [--OPTION VALUE]...

Reads COCO captions: a JSON file of any size, an object with the arrays "images" (id, file_name) and
"annotations" (id, image_id, caption). Each annotation becomes a sample, in file order. Ids are names:
1, 1.0 and "1" are the same. --root is the directory of the images.

FILE becomes the dataset DIR/NAME.h5, where NAME is FILE without its extension. Rows that cannot be
used are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare coco --input annotations/captions_train2017.json --root train2017 \
      --output data/coco
  lynceus prepare coco --input captions.json --root images --captions first --dry-run

)";

constexpr const char* kLlavaHelp =
    R"(usage: lynceus prepare llava --input FILE... --output DIR [--OPTION VALUE]...

Reads LLaVA conversations about images or videos: a JSON array of objects, or one object per line.

  {"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "<image>\nWhat is it?"},
                                                  {"from": "gpt", "value": "A cat."}]}

--root is the directory that paths are relative to. "image" may be a list or absent. If a row has
"video" instead, --frames frames of the video are stored. The visual tokens always come before the
text, so <image> and <video> are removed; there must be one per image or video, or none. All answers
are learned. Answers before the first question and a question after the last answer are left out.
"messages" of OpenAI and rows of Alpaca are read too; see `lynceus prepare text --help`. A row with
other content, such as "audio", is rejected by the name of its key.

FILE becomes the dataset DIR/NAME.h5, where NAME is FILE without its extension. Rows that cannot be
used are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare llava --input llava_v1_5_mix665k.json --root /data/llava --output data/llava
  lynceus prepare llava --input chat.json --root images --check-pictures header --output data/chat

)";

constexpr const char* kOpenvqaHelp =
    R"(usage: lynceus prepare openvqa --input FILE... --output DIR [--OPTION VALUE]...

Reads Open-VQA of the Lynx paper: one object per line, or an array, with the keys dataset, question, answer, index,
image, origin_dataset and class. The first answer that is not empty is used. --root is the directory that paths are
relative to. If a row has "video" instead of "image", --frames frames of the video are stored.

Questions are scored by class, so each class becomes a dataset of its own, DIR/NAME-CLASS.h5, with
the class as its task. NAME is FILE without its extension.

  lynceus prepare openvqa --input Open_VQA_images.jsonl --root /data/open_vqa --output data/openvqa
  lynceus prepare openvqa --input Open_VQA_videos.jsonl --root /data/open_vqa --output data/openvqa
  lynceus prepare openvqa --input Open_VQA_images.jsonl --root /data/open_vqa --dry-run

)";

constexpr const char* kTextHelp =
    R"(usage: lynceus prepare text --input FILE... --output DIR [--OPTION VALUE]...

Reads instructions: a JSON array of objects, or one object per line, in the forms of Alpaca, ShareGPT
and OpenAI, also mixed.

  {"instruction": "Add.", "input": "2 2", "output": "4", "history": [["Hi", "Hello"]], "system": "Be brief."}
  {"id": "1", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}
  {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}

"system" is the system turn; "tools" and "functions" are appended to it. What a tool answers is a turn
of the user, a call of a tool is a turn of the assistant. Rows with "image", "images" or "video" are
read as by the source llava. Answers are learned, questions are not. For plain text use the source
jsonl.

  lynceus prepare text --input alpaca_data.json --output data/alpaca
  lynceus prepare text --input sharegpt.json --max-bad 0.1 --output data/sharegpt

)";

constexpr const char* kWebdatasetHelp =
    R"(usage: lynceus prepare webdataset --input FILE... --output DIR [--OPTION VALUE]...

Reads tar files of images and captions, as img2dataset writes them, plain or compressed (gzip, bzip2,
xz, zstd, lz4). Consecutive entries with the same name up to the first dot are one row: an image (.jpg,
.jpeg, .png, .webp, .gif, .bmp, .tif, .tiff) and a caption in .txt or, if there is no .txt, in .json
("caption", "captions", or "question" and "answer"). Archives that were joined by cat are read to the
end. Other entries and links are counted in the summary. Nothing is extracted to disk.

FILE becomes the dataset DIR/NAME.h5, where NAME is FILE without its extension. Rows that cannot be
used are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare webdataset --input cc3m/*.tar --output data/cc3m
  mpirun -n 16 lynceus prepare webdataset --input 'laion/*.tar' --check-pictures header \
      --output data/laion

)";

constexpr const char* kFolderHelp =
    R"(usage: lynceus prepare folder --input DIR... --output DIR [--OPTION VALUE]...

Reads folders of images (.jpg, .jpeg, .png, .webp, .gif, .bmp, .tif, .tiff), each with its captions in
a text file of the same name next to it: a/1.jpg and a/1.txt, or a/1.caption. Each line of the text is
a caption and becomes a sample. Folders below are read too. Links to files are followed, links to folders are not.

The folder becomes the dataset DIR/NAME.h5, where NAME is the name of the folder. Images without a text
and texts without an image are listed in DIR/NAME-rejects.jsonl. Files of other types are counted in the
summary.

  lynceus prepare folder --input photos --output data/photos
  lynceus prepare folder --input 'scans/*' --captions first --task caption --output data/scans

)";

constexpr const char* kVideoHelp =
    R"(usage: lynceus prepare video --input FILE... --output DIR [--OPTION VALUE]...

Reads JSONL, TSV or CSV files that name videos, one row per line. Videos are mp4 (mov), avi or webm (mkv)
files; --root is the directory that their paths are relative to. Rows:

  {"video": "clips/1.mp4", "captions": ["a dog runs", "a brown dog runs"]}       one sample per caption
  {"video": "clips/2.webm", "question": "what happens?", "answer": "a cat sleeps"}

--frames frames of each video are stored as JPEG, the same as in the released Lynx code: the video is
divided into that many parts of equal length, and the first frame of each part is stored. A video with
fewer frames gives some of them more than once. --map, TSV and CSV files work as in the
source jsonl.

The program lynceus-frames, installed in the directory of lynceus, decodes the videos, several at the
same time. Videos that are damaged, take longer than --video-timeout, need too much memory or crash
the decoder are listed in DIR/NAME-rejects.jsonl.

  lynceus prepare video --input msrvtt.jsonl --root /data/msrvtt --task question --output data/msrvtt
  lynceus prepare video --input clips.tsv --map video=path caption=text --frames 8 --output data/clips
  mpirun -n 4 lynceus prepare video --input part-*.jsonl --root clips --output data/clips

)";

constexpr const char* kShapesHelp =
    R"(usage: lynceus prepare shapes --output DIR [--OPTION VALUE]...

Generates images of one to four colored shapes, with captions, questions and computed answers, for
trials and tests. Writes six datasets of --count samples each: DIR/SPLIT-captions.h5,
DIR/SPLIT-Color.h5, SPLIT-Counting.h5, SPLIT-Spatial.h5 and SPLIT-Others.h5 with questions, and
DIR/SPLIT-text.h5 with the same kinds of sentences without images. For the split train it also writes
DIR/corpus.txt, the texts that --train-tokenizer uses. The splits share no image. Runs on one rank.

  lynceus prepare shapes --count 10000 --seed 1 --output data/shapes --train-tokenizer 400
  lynceus prepare shapes --count 300 --seed 1 --split validation --output data/shapes

)";

}  // namespace lynceus::cli
