#pragma once
// A certificate and its key, ready for connections: TLS 1.2 and up by OpenSSL.

#include <memory>
#include <string>

// As OpenSSL declares it, whose headers stay out of ours.
struct ssl_ctx_st;

namespace ranged::server {

/// Immutable; shared by all threads and by the connections that it began, so that a reload changes nothing under them.
class TlsContext {
 public:
  struct Loaded {
    std::shared_ptr<const TlsContext> context;  ///< null: `problem` says why
    std::string problem;                        ///< what cannot be used, why, and what would do
    std::string warning;                        ///< not empty: one line
  };
  /// Reads PEM files: a certificate with its chain, and a private key (empty: it is in the certificate's file).
  /// Blocking; for start and reload.
  [[nodiscard]] static Loaded load(const std::string& certificate, const std::string& key);

  explicit TlsContext(ssl_ctx_st* context) noexcept : context_(context) {}
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] ssl_ctx_st* get() const noexcept { return context_; }

 private:
  ssl_ctx_st* context_;
};

}  // namespace ranged::server
