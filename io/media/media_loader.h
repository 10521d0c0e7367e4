// Reads, decodes and transforms the media of coming batches on threads of its own, while the step
// computes. What comes out is a pure function of the requests: the same bits with any number of
// threads. Used by `train` and `evaluate`.
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

/// All media of one sample.
struct MediaRequest {
  int dataset = 0;             ///< index into the loader's datasets
  int64_t sample = 0;          ///< index in that dataset
  uint64_t augment_index = 0;  ///< the sample's place in the whole run: the key of its random crop
};

struct LoadedMedia {
  Tensor pixels;         ///< [media, 3, R, R] f32 on the host, normalised; media may be 0
  bool damaged = false;  ///< at least one image was replaced by the mean colour (zeros)
  std::string reason;    ///< of the first damage: file, sample, key, what is wrong
};

struct TransformConfig {
  int image_size = 224;        ///< R
  bool augment = false;        ///< RandomResizedCrop instead of Resize + CenterCrop
  uint64_t seed = 0;           ///< of the random crops
  bool scaled_decode = false;  ///< decode JPEG no larger than needed: faster, other pixels
  DecodeLimits limits = {};
  int depth = 2;  ///< batches that are worked on ahead of take()
};

class MediaLoader {
 public:
  /// The datasets must outlive the loader. `stream` is of the host and gives the tensors' memory.
  MediaLoader(std::vector<const Dataset*> datasets, const TransformConfig& config, int threads,
              const Stream& stream);
  /// Finishes the images in work and forgets the rest.
  ~MediaLoader();
  MediaLoader(const MediaLoader&) = delete;
  MediaLoader& operator=(const MediaLoader&) = delete;

  /// One more batch; returns at once.
  void request(std::vector<MediaRequest> batch);
  /// The oldest requested batch, in the order of its requests. Waits for it. Rethrows what went
  /// wrong in it (IoError; InputError for a wrong digest that is not tolerated), of several errors
  /// the one of the first request; the batch is gone then, the next take() gives the next one.
  std::vector<LoadedMedia> take();
  /// Batches requested and not taken.
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
