#include "server/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

namespace ranged::server {

namespace {

/// RFC 8446, 5.1.
constexpr std::size_t record_bytes = 16384;
/// A record, or a flight of a handshake with a long certificate chain. Only a peer that makes OpenSSL answer without
/// reading the answers (key updates, RFC 8446, 4.6.3) gets there.
constexpr std::size_t most_unsent = std::size_t{64} << 10;

boost::system::error_code error_of(int number) noexcept {
  return {number, boost::system::system_category()};
}

/// Takes bytes from a gather list, a record at a time.
class Gather {
 public:
  explicit Gather(std::span<const iovec> buffers) noexcept : buffers_(buffers) {
    for (const iovec& buffer : buffers) left_ += buffer.iov_len;
  }

  [[nodiscard]] std::size_t left() const noexcept { return left_; }

  void skip(std::size_t count) noexcept {
    left_ -= count;
    while (count > 0) {
      const std::size_t here = std::min(count, buffers_.front().iov_len - offset_);
      advance(here);
      count -= here;
    }
  }

  /// The next record's bytes: where they lie when enough lie together, else copied into `room`.
  std::span<const char> next(std::span<char> room) noexcept {
    while (buffers_.front().iov_len == offset_) advance(0);
    const std::size_t size = std::min(left_, room.size());
    left_ -= size;
    const std::size_t here = buffers_.front().iov_len - offset_;
    if (here >= size) {
      const std::span<const char> found(static_cast<const char*>(buffers_.front().iov_base) + offset_, size);
      advance(size);
      return found;
    }
    for (std::size_t copied = 0; copied < size;) {
      const std::size_t count = std::min(size - copied, buffers_.front().iov_len - offset_);
      std::memcpy(room.data() + copied, static_cast<const char*>(buffers_.front().iov_base) + offset_, count);
      copied += count;
      advance(count);
    }
    return room.first(size);
  }

 private:
  void advance(std::size_t count) noexcept {
    offset_ += count;
    while (!buffers_.empty() && offset_ == buffers_.front().iov_len) {
      buffers_ = buffers_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const iovec> buffers_;
  std::size_t offset_ = 0;
  std::size_t left_ = 0;
};

}  // namespace

/// What OpenSSL reads from and writes to.
struct TlsTransport {
  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
    BIO_clear_retry_flags(bio);
    if (!static_cast<TlsStream*>(::BIO_get_data(bio))->write_out(data, size)) return 0;
    *written = size;
    return 1;
  }

  static int read(BIO* bio, char* data, std::size_t size, std::size_t* received) {
    BIO_clear_retry_flags(bio);
    const int descriptor = static_cast<TlsStream*>(::BIO_get_data(bio))->descriptor_;
    for (;;) {
      const ssize_t count = ::recv(descriptor, data, size, 0);
      if (count > 0) {
        *received = static_cast<std::size_t>(count);
        return 1;
      }
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
      return 0;
    }
  }

  static long control(BIO* /*unused*/, int command, long /*unused*/, void* /*unused*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static int create(BIO* bio) {
    ::BIO_set_init(bio, 1);
    return 1;
  }

  /// One for the process: a table of functions, which OpenSSL wants to have made at run time.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const table = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
      if (table == nullptr) throw std::bad_alloc();
      ::BIO_meth_set_write_ex(table, write);
      ::BIO_meth_set_read_ex(table, read);
      ::BIO_meth_set_ctrl(table, control);
      ::BIO_meth_set_create(table, create);
      return table;
    }();
    return made;
  }
};

void TlsStream::Free::operator()(ssl_st* ssl) const noexcept {
  ::SSL_free(ssl);
}

TlsStream::TlsStream(const TlsContext& context, int descriptor)
    : descriptor_(descriptor), ssl_(::SSL_new(context.get())) {
  BIO* const bio = ssl_ ? ::BIO_new(TlsTransport::method()) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  ::BIO_set_data(bio, this);
  ::SSL_set_bio(ssl_.get(), bio, bio);
  ::SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() = default;

bool TlsStream::write_out(const char* data, std::size_t size) noexcept {
  if (unsent() == 0) {
    while (size > 0) {
      const ssize_t count = ::send(descriptor_, data, size, MSG_NOSIGNAL | (more_follows_ ? MSG_MORE : 0));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno != EAGAIN) return false;
      if (count < 0) break;
      data += count;
      size -= static_cast<std::size_t>(count);
    }
  }
  if (size == 0) return true;
  if (unsent() + size > most_unsent) return false;
  try {
    unsent_.insert(unsent_.end(), data, data + size);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

boost::system::result<void> TlsStream::flush() noexcept {
  while (unsent() > 0) {
    const ssize_t count = ::send(descriptor_, unsent_.data() + unsent_begin_, unsent(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return error_of(errno);
    unsent_begin_ += static_cast<std::size_t>(count);
  }
  if (unsent_begin_ > 0) {
    unsent_ = {};  // the memory too
    unsent_begin_ = 0;
  }
  return {};
}

TlsStream::Handshake TlsStream::handshake() noexcept {
  if (const auto flushed = flush(); !flushed) {
    return flushed.error() == boost::system::errc::resource_unavailable_try_again ? Handshake::want_write
                                                                                  : Handshake::failed;
  }
  ::ERR_clear_error();
  const int outcome = ::SSL_do_handshake(ssl_.get());
  if (outcome == 1) return Handshake::done;
  if (::SSL_get_error(ssl_.get(), outcome) == SSL_ERROR_WANT_READ) {
    return unsent() == 0 ? Handshake::want_read : Handshake::want_write;
  }
  broken_ = true;
  const unsigned long code = ::ERR_peek_error();
  ::ERR_clear_error();
  return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST ? Handshake::plain_http
                                                                                        : Handshake::failed;
}

boost::system::result<std::size_t> TlsStream::receive(std::span<char> buffer) noexcept {
  if (broken_) return error_of(ECONNRESET);
  ::ERR_clear_error();
  errno = 0;
  std::size_t count = 0;
  if (::SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count) == 1) return count;
  switch (::SSL_get_error(ssl_.get(), 0)) {
    case SSL_ERROR_WANT_READ:
      return error_of(EAGAIN);
    case SSL_ERROR_ZERO_RETURN:
      return std::size_t{0};
    default:
      // An end without close_notify can cut a request short, never forge one: what is incomplete is not answered.
      broken_ = true;
      ::ERR_clear_error();
      return error_of(ECONNRESET);
  }
}

boost::system::result<std::size_t> TlsStream::send(std::span<const iovec> buffers, bool more) noexcept {
  if (const auto flushed = flush(); !flushed) return flushed.error();
  if (broken_) return error_of(EPIPE);
  Gather gather(buffers);
  const std::size_t total = gather.left();
  if (total > 0 && last_withheld_) {
    gather.skip(1);
    last_withheld_ = false;
  }
  std::array<char, record_bytes> room;  // for records whose bytes do not lie together
  while (gather.left() > 0) {
    const std::span<const char> record = gather.next(room);
    more_follows_ = more || gather.left() > 0;
    ::ERR_clear_error();
    std::size_t written = 0;
    if (::SSL_write_ex(ssl_.get(), record.data(), record.size(), &written) != 1) {
      broken_ = true;
      ::ERR_clear_error();
      return error_of(EPIPE);
    }
    if (unsent() > 0) {
      last_withheld_ = true;
      return total - gather.left() - 1;
    }
  }
  return total;
}

void TlsStream::close_notify() noexcept {
  if (broken_ || ::SSL_is_init_finished(ssl_.get()) == 0) return;
  ::ERR_clear_error();
  more_follows_ = false;
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

}  // namespace ranged::server
