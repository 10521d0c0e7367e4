// The sources of `lynceus prepare` that read files: their options, and the datasets of each.
#include <fmt/format.h>
#include <omp.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/prepare/command.h"
#include "cli/prepare/pages.h"
#include "parallel/agreement.h"
#include "prepare/dataset_name.h"
#include "prepare/run.h"
#include "prepare/sources/coco.h"
#include "prepare/sources/folder.h"
#include "prepare/sources/jsonl.h"
#include "prepare/sources/llava.h"
#include "prepare/sources/openvqa.h"
#include "prepare/sources/webdataset.h"

namespace lynceus::cli {
namespace {

namespace fs = std::filesystem;

struct CaptionConfig {
  std::string captions = "all";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("captions", captions, {"all", "first"},
             "captions of an image or video to use; each becomes a sample");
  }
  bool first_only() const { return captions == "first"; }
};

/// The options of a source, composed of parts.
template <typename... Parts>
struct ConfigOf : Parts... {
  template <typename Visitor>
  void visit(Visitor& v) {
    (Parts::visit(v), ...);
  }
};

struct MapConfig {
  std::vector<std::string> map;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.list("map", map,
           "field=key: the key of a field in the files; then only the fields given here are read");
  }
};

/// The format of rows.
struct FormatConfig {
  std::string format = "name";

  template <typename Visitor>
  void visit(Visitor& v) {
    v.choice("format", format, {"name", "jsonl", "tsv", "csv"},
             "format of the files; name: by the ending of their names");
  }
  /// Nothing for the default, which journals of earlier versions do not name.
  std::string described_format() const { return format == "name" ? "" : ", format " + format; }
  prepare::RowFormat row_format() const {
    if (format == "jsonl") return prepare::RowFormat::kJsonl;
    if (format == "tsv") return prepare::RowFormat::kTsv;
    return format == "csv" ? prepare::RowFormat::kCsv : prepare::RowFormat::kByName;
  }
};

/// Options of sources that read videos.
struct VideoConfig {
  int frames = 5;
  int jpeg_quality = 95;
  double video_timeout = 60;
  int video_workers = 0;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("frames", frames,
            "frames to store per video; at most vision.num_frames of the training run");
    v.field("jpeg-quality", jpeg_quality, "JPEG quality of the stored frames, 1 to 100");
    v.field("video-timeout", video_timeout,
            "seconds to decode one video; a video that takes longer is rejected");
    v.field("video-workers", video_workers,
            "videos decoded at the same time; 0: one per thread of the rank");
  }
  std::shared_ptr<prepare::VideoReader> reader(const std::string& root,
                                               const std::string& input) const {
    const auto check = [](bool valid, const char* option, const char* expected, auto found) {
      if (!valid) throw UsageError("--{}: expected {}, found {}", option, expected, found);
    };
    check(frames >= 1 && frames <= 1024, "frames", "1 to 1024", frames);
    check(jpeg_quality >= 1 && jpeg_quality <= 100, "jpeg-quality", "1 to 100", jpeg_quality);
    check(video_timeout > 0 && video_timeout <= 86400, "video-timeout",
          "more than 0 and at most 86400", video_timeout);
    check(video_workers >= 0 && video_workers <= 1024, "video-workers", "0 to 1024", video_workers);
    prepare::VideoOptions options;
    options.root = root.empty() ? fs::path(input).parent_path() : fs::path(root);
    options.frames = frames;
    options.jpeg_quality = jpeg_quality;
    options.timeout_seconds = video_timeout;
    options.workers = video_workers > 0 ? video_workers : omp_get_max_threads();
    return std::make_shared<prepare::VideoReader>(std::move(options));
  }
  /// The values that determine the shards.
  std::string described() const {
    return fmt::format("frames {}, jpeg-quality {}", frames, jpeg_quality);
  }
};

/// Videos are only checked by decoding them, so there is no option for the check.
struct VideoRootConfig {
  std::string root;

  template <typename Visitor>
  void visit(Visitor& v) {
    v.field("root", root,
            "directory that video paths are relative to; empty: that of the input file");
  }
};

/// For images inside the input file: there is no root.
struct PackedImageConfig : prepare::ImageConfig {
  template <typename Visitor>
  void visit(Visitor& v) {
    visit_check(v);
  }
};

struct FolderInputConfig : prepare::InputConfig {
  template <typename Visitor>
  void visit(Visitor& v) {
    prepare::InputConfig::visit(v, "folders to read, or patterns in quotes: 'part-*'");
  }
};

using JsonlConfig =
    ConfigOf<prepare::InputConfig, prepare::ImageConfig, CaptionConfig, MapConfig, FormatConfig>;
using CocoConfig = ConfigOf<prepare::InputConfig, prepare::ImageConfig, CaptionConfig>;
using LlavaConfig = ConfigOf<prepare::InputConfig, prepare::ImageConfig, VideoConfig>;
using OpenVqaConfig = ConfigOf<prepare::InputConfig, prepare::ImageConfig, VideoConfig>;
using VideoRowsConfig = ConfigOf<prepare::InputConfig, VideoRootConfig, CaptionConfig, MapConfig,
                                 FormatConfig, VideoConfig>;
using WebdatasetConfig = ConfigOf<prepare::InputConfig, PackedImageConfig, CaptionConfig>;
using FolderConfig = ConfigOf<FolderInputConfig, PackedImageConfig, CaptionConfig>;

/// The job of one input file; `open` makes its source.
prepare::PrepareJob job_of(const prepare::InputConfig& config, const std::string& input,
                           const std::string& options,
                           std::function<std::unique_ptr<prepare::Source>()> open) {
  const std::string name = prepare::dataset_name(input);
  return {name, config.task.empty() ? name : config.task, input, options, std::move(open), nullptr};
}

void check_input(const std::string& source, const prepare::InputConfig& config) {
  if (config.input.empty())
    throw UsageError("prepare {}: expected --input FILE, found none", source);
}

std::string options_of(const std::string& source, const prepare::ImageConfig& images) {
  return fmt::format("{}, root '{}', check-pictures {}", source, images.root,
                     images.check_pictures);
}

/// Makes the jobs and runs them. Errors of the options are agreed.
void make_and_run(const prepare::PrepareConfig& common, const prepare::InputConfig& config,
                  const char* source, parallel::Communicator& world,
                  const std::function<void(std::vector<prepare::PrepareJob>&)>& make) {
  std::vector<prepare::PrepareJob> jobs;
  parallel::agree(world, [&] {
    check_input(source, config);
    make(jobs);
  });
  prepare::run_jobs(common, config, jobs, world);
}

void prepare_jsonl(const prepare::PrepareConfig& common, const JsonlConfig& config,
                   parallel::Communicator& world) {
  make_and_run(common, config, "jsonl", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    const prepare::FieldMap map = prepare::parse_field_map(config.map);
    for (const std::string& input : config.input) {
      const prepare::JsonlOptions options{input,          config.root, config.first_only(), map,
                                          config.check(), nullptr,     config.row_format()};
      jobs.push_back(job_of(
          config, input,
          fmt::format("{}, captions {}, map {}{}", options_of("jsonl", config), config.captions,
                      fmt::join(config.map, " "), config.described_format()),
          [options] { return std::make_unique<prepare::JsonlSource>(options); }));
    }
  });
}

void prepare_coco(const prepare::PrepareConfig& common, const CocoConfig& config,
                  parallel::Communicator& world) {
  make_and_run(common, config, "coco", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    for (const std::string& input : config.input) {
      const prepare::CocoOptions options{input, config.root, config.first_only(), config.check()};
      jobs.push_back(
          job_of(config, input,
                 fmt::format("{}, captions {}", options_of("coco", config), config.captions),
                 [options] { return std::make_unique<prepare::CocoSource>(options); }));
    }
  });
}

void prepare_instructions(const prepare::PrepareConfig& common, const LlavaConfig& config,
                          const char* source, parallel::Communicator& world) {
  make_and_run(common, config, source, world, [&](std::vector<prepare::PrepareJob>& jobs) {
    for (const std::string& input : config.input) {
      const prepare::LlavaOptions options{input, config.root, config.check(),
                                          config.reader(config.root, input)};
      jobs.push_back(job_of(config, input,
                            fmt::format("{}, {}", options_of(source, config), config.described()),
                            [options] { return std::make_unique<prepare::LlavaSource>(options); }));
    }
  });
}

void prepare_llava(const prepare::PrepareConfig& common, const LlavaConfig& config,
                   parallel::Communicator& world) {
  prepare_instructions(common, config, "llava", world);
}

void prepare_text(const prepare::PrepareConfig& common, const LlavaConfig& config,
                  parallel::Communicator& world) {
  prepare_instructions(common, config, "text", world);
}

void prepare_openvqa(const prepare::PrepareConfig& common, const OpenVqaConfig& config,
                     parallel::Communicator& world) {
  make_and_run(common, config, "openvqa", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    for (const std::string& input : config.input) {
      prepare::OpenVqaOptions options{input, config.root,    "",
                                      true,  config.check(), config.reader(config.root, input)};
      std::vector<std::string> classes = prepare::OpenVqaSource::classes(input);
      if (classes.empty()) classes.emplace_back();  // takes what is malformed
      for (const std::string& name : classes) {
        options.question_class = name;
        prepare::PrepareJob job =
            job_of(config, input,
                   fmt::format("{}, {}", options_of("openvqa " + name, config), config.described()),
                   [options] { return std::make_unique<prepare::OpenVqaSource>(options); });
        if (!name.empty()) job.name = prepare::dataset_name(input, name);
        if (config.task.empty() && !name.empty()) job.task = name;
        jobs.push_back(std::move(job));
        options.takes_malformed = false;
      }
    }
  });
}

void prepare_webdataset(const prepare::PrepareConfig& common, const WebdatasetConfig& config,
                        parallel::Communicator& world) {
  make_and_run(common, config, "webdataset", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    for (const std::string& input : config.input) {
      const prepare::WebdatasetOptions options{input, config.first_only(), config.check(), {}};
      jobs.push_back(
          job_of(config, input,
                 fmt::format("{}, captions {}", options_of("webdataset", config), config.captions),
                 [options] { return std::make_unique<prepare::WebdatasetSource>(options); }));
    }
  });
}

void prepare_folder(const prepare::PrepareConfig& common, const FolderConfig& config,
                    parallel::Communicator& world) {
  make_and_run(common, config, "folder", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    for (const std::string& input : config.input) {
      const prepare::FolderOptions options{input, common.output, config.first_only(),
                                           config.check()};
      jobs.push_back(
          job_of(config, input,
                 fmt::format("{}, captions {}", options_of("folder", config), config.captions),
                 [options] { return std::make_unique<prepare::FolderSource>(options); }));
      jobs.back().version = [input, common] {
        return prepare::FolderSource::fingerprint(input, common.output);
      };
      jobs.back().name = prepare::dataset_name_of_folder(input);
      if (config.task.empty()) jobs.back().task = jobs.back().name;
    }
  });
}

void prepare_video(const prepare::PrepareConfig& common, const VideoRowsConfig& config,
                   parallel::Communicator& world) {
  make_and_run(common, config, "video", world, [&](std::vector<prepare::PrepareJob>& jobs) {
    const prepare::FieldMap map = prepare::parse_field_map(config.map, prepare::RowMedia::kVideos);
    for (const std::string& input : config.input) {
      const prepare::JsonlOptions options{.file = input,
                                          .root = config.root,
                                          .first_caption_only = config.first_only(),
                                          .map = map,
                                          .videos = config.reader(config.root, input),
                                          .format = config.row_format()};
      options.videos->check_program();
      jobs.push_back(job_of(
          config, input,
          fmt::format("video, root '{}', captions {}, map {}, {}{}", config.root, config.captions,
                      fmt::join(config.map, " "), config.described(), config.described_format()),
          [options] { return std::make_unique<prepare::JsonlSource>(options); }));
    }
  });
}

}  // namespace

void run_jsonl(const Arguments& arguments, parallel::Communicator& world) {
  run_source("jsonl", kJsonlHelp, arguments, world, prepare_jsonl);
}
void run_coco(const Arguments& arguments, parallel::Communicator& world) {
  run_source("coco", kCocoHelp, arguments, world, prepare_coco);
}
void run_llava(const Arguments& arguments, parallel::Communicator& world) {
  run_source("llava", kLlavaHelp, arguments, world, prepare_llava);
}
void run_openvqa(const Arguments& arguments, parallel::Communicator& world) {
  run_source("openvqa", kOpenvqaHelp, arguments, world, prepare_openvqa);
}
void run_text(const Arguments& arguments, parallel::Communicator& world) {
  run_source("text", kTextHelp, arguments, world, prepare_text);
}
void run_video(const Arguments& arguments, parallel::Communicator& world) {
  run_source("video", kVideoHelp, arguments, world, prepare_video);
}
void run_folder(const Arguments& arguments, parallel::Communicator& world) {
  run_source("folder", kFolderHelp, arguments, world, prepare_folder);
}
void run_webdataset(const Arguments& arguments, parallel::Communicator& world) {
  run_source("webdataset", kWebdatasetHelp, arguments, world, prepare_webdataset);
}

}  // namespace lynceus::cli
