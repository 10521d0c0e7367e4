// Reads, decodes and transforms the media of the next batches on its own threads, so that this
// overlaps the step. The result depends only on the requests, bit for bit, with any number of
// threads.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/stream.h"
#include "core/tensor.h"
#include "io/dataset/dataset.h"
#include "io/media/image.h"

namespace lynceus::io {

/// Asks for all media of one sample.
struct MediaRequest {
  int dataset = 0;             ///< index into the loader's datasets
  int64_t sample = 0;          ///< index in that dataset
  uint64_t augment_index = 0;  ///< position of the sample in the run, for its random crop
};

struct LoadedMedia {
  Tensor pixels;         ///< [media, 3, R, R] f32 on the host, normalized; media may be 0
  bool damaged = false;  ///< at least one image was replaced by the mean color (zeros)
  std::string reason;    ///< of the first damage: file, sample, key, error
};

struct TransformConfig {
  int image_size = 224;        ///< R
  bool augment = false;        ///< RandomResizedCrop instead of Resize + CenterCrop
  uint64_t seed = 0;           ///< of the random crops
  bool scaled_decode = false;  ///< decode JPEG at reduced size: faster, but other pixels
  DecodeLimits limits = {};
  int depth = 2;  ///< batches that are loaded ahead of take()
};

class MediaLoader {
 public:
  /// The datasets must outlive the loader. `stream` must be of the host; tensors are allocated on
  /// it.
  MediaLoader(std::vector<const Dataset*> datasets, const TransformConfig& config, int threads,
              const Stream& stream);
  /// Waits for the samples that are being loaded and drops the rest.
  ~MediaLoader();
  MediaLoader(const MediaLoader&) = delete;
  MediaLoader& operator=(const MediaLoader&) = delete;

  /// Adds a batch to the queue; returns at once.
  void request(std::vector<MediaRequest> batch);
  /// Waits for the oldest batch and returns it in the order of its requests. Rethrows its errors
  /// other than damaged images (e.g. IoError); of several errors, the one of the first request.
  /// That batch is dropped, and the next take() returns the next one.
  std::vector<LoadedMedia> take();
  /// Waits until take() would return at once, or until this process is asked to stop
  /// (core/process/stop_request.h).
  void wait_or_stop();
  /// Number of batches requested but not taken.
  size_t pending() const;

 private:
  struct Batch {
    std::vector<MediaRequest> requests;
    std::vector<LoadedMedia> results;
    std::vector<std::exception_ptr> errors;
    size_t started = 0;
    size_t finished = 0;
  };

  void work();
  std::shared_ptr<Batch> next_with_work() const;
  LoadedMedia load(const MediaRequest& request) const;
  void load_image(const MediaRequest& request, int index, float* pixels, LoadedMedia& media) const;

  std::vector<const Dataset*> datasets_;
  TransformConfig config_;
  Stream stream_;

  mutable std::mutex mutex_;
  std::condition_variable work_available_;
  std::condition_variable batch_finished_;
  std::deque<std::shared_ptr<Batch>> batches_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lynceus::io
