#pragma once
// What a response's body consists of, as data: pieces of text and stretches of a file, walked lazily in constant
// memory.

#include <ranged/http/response_plan.hpp>

#include <cstdint>
#include <string_view>

namespace ranged::server {

/// How a stretch of a file goes over the wire.
enum class WireEncoding : std::uint8_t { identity, base64, hex };

struct ContentPiece {
  enum class Kind : std::uint8_t { end, text, file };
  Kind kind = Kind::end;
  WireEncoding encoding = WireEncoding::identity;
  std::string_view text;     ///< valid until the cursor that gave it moves or ends
  std::uint64_t offset = 0;  ///< of a file stretch, bytes
  std::uint64_t length = 0;  ///< of a file stretch, bytes of the file

  /// Bytes that the piece takes on the wire.
  [[nodiscard]] std::uint64_t wire_length() const noexcept {
    if (kind == Kind::text) return text.size();
    switch (encoding) {
      case WireEncoding::base64:
        return (length + 2) / 3 * 4;  // RFC 4648, section 4, with padding
      case WireEncoding::hex:
        return length * 2;
      case WireEncoding::identity:
        break;
    }
    return length;
  }
};

/// A stretch of a file between two texts: the JSON answers of /bytes, or a plain stretch with none.
class FramedStretch {
 public:
  FramedStretch(std::string_view before, std::uint64_t offset, std::uint64_t length, WireEncoding encoding,
                std::string_view after) noexcept
      : before_(before), after_(after), offset_(offset), length_(length), encoding_(encoding) {}

  [[nodiscard]] ContentPiece next() noexcept {
    switch (step_++) {
      case 0:
        return {ContentPiece::Kind::text, WireEncoding::identity, before_, 0, 0};
      case 1:
        return {ContentPiece::Kind::file, encoding_, {}, offset_, length_};
      case 2:
        return {ContentPiece::Kind::text, WireEncoding::identity, after_, 0, 0};
      default:
        step_ = 3;
        return {};
    }
  }

 private:
  std::string_view before_;
  std::string_view after_;
  std::uint64_t offset_;
  std::uint64_t length_;
  WireEncoding encoding_;
  int step_ = 0;
};

}  // namespace ranged::server
