#pragma once
// From received bytes to a request head: Beast's parser behind a strict lexical check of each byte.

#include "server/admission.hpp"
#include "server/request_head.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ranged::server {

struct RequestLimits {
  std::size_t head_bytes = 16384;   ///< request line, field lines and the empty line; more: 431
  std::size_t fields = 100;         ///< field lines; more: 431
  std::size_t target_bytes = 8192;  ///< more: 414
};

struct ParseResult {
  enum class State : std::uint8_t { need_more, complete, refused };
  State state = State::need_more;
  std::size_t consumed = 0;  ///< when complete: the bytes up to and with the empty line; what follows is no part of it
  Refusal refusal;           ///< when refused; always closes
};

/// Parses one request head after the other. Not thread-safe: one for each connection. 28 bytes.
///
/// Stricter than RFC 9112 asks of a server: a bare LF or CR, obs-fold, white space before a colon, and control bytes or
/// NUL anywhere are refused, each at the first such byte. Up to four empty lines before a request are skipped (2.2).
class RequestParser {
 public:
  /// Parses the request that begins at buffer's first byte. To be called with all of its bytes received so far,
  /// whenever there are more, until it is complete or refused; then reset(). The buffer may have moved between calls,
  /// the limits must not change. `out` is written when complete and views the buffer then. When refused, `out` has what
  /// was understood (perhaps nothing), for the log.
  ///
  /// Cost: each byte is looked at once however often this is called, and once more by Beast when the head is complete.
  /// No allocation, save that of RequestConditions::add().
  [[nodiscard]] ParseResult parse(std::string_view buffer, RequestHead& out, const RequestLimits& limits);

  /// To be called before the next request.
  void reset() noexcept { *this = RequestParser(); }

  /// Whether any byte of a request was seen since reset(); empty lines before it are none. For telling an idle
  /// connection from one that is slow to send a head.
  [[nodiscard]] bool begun() const noexcept { return lexeme_ > Lexeme::empty_line_lf; }
  /// Whether no byte was looked at since reset().
  [[nodiscard]] bool untouched() const noexcept { return scanned_ == 0; }

 private:
  // What the next byte belongs to, in the order of a request.
  enum class Lexeme : std::uint8_t {
    start,
    empty_line_lf,
    method,
    target,
    version,
    line_lf,
    line_start,
    name,
    value,
    end_lf,
    complete,
  };

  // Looks at the bytes from scanned_ on, as far as limit allows.
  Refusal scan(std::string_view buffer, const RequestLimits& limits) noexcept;

  std::uint32_t scanned_ = 0;  // bytes looked at
  std::uint32_t begin_ = 0;    // of the method
  std::uint32_t target_begin_ = 0;
  std::uint32_t target_end_ = 0;  // of the target; the version begins one byte later
  std::uint32_t fields_begin_ = 0;
  std::uint32_t fields_ = 0;
  Lexeme lexeme_ = Lexeme::start;
  char minor_version_ = '1';
};

}  // namespace ranged::server
