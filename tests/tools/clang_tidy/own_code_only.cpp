// A plug-in for clang-tidy 19: limits what its checks look at to this project's own code.
//
// clang-tidy matches every check against every declaration of a translation unit and drops afterwards what it found in
// system headers; with Boost, Asio and the standard library in a source that is most of that work. clang-tidy 22 leaves
// them out by itself, and this file can go then.
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>
#include <clang/AST/ASTContext.h>
#include <clang/ASTMatchers/ASTMatchers.h>
#include <clang/ASTMatchers/ASTMatchFinder.h>
#include <clang/Basic/SourceManager.h>

#include <vector>

namespace {

/// A check that finds nothing itself: it narrows the traversal scope for all checks of the run.
///
/// The scope is set when the translation unit itself is matched, which comes before its children are asked for:
/// RecursiveASTVisitor::TraverseTranslationUnitDecl then takes the scope in their place.
class OwnCodeOnlyCheck : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl(), this);
  }

  /// Puts the top-level declarations outside system headers into the scope.
  void check(const clang::ast_matchers::MatchFinder::MatchResult& result) override {
    context_ = result.Context;
    std::vector<clang::Decl*> own;
    for (clang::Decl* declaration : context_->getTranslationUnitDecl()->decls()) {
      // What the compiler declares by itself has no location. What a system header's macro declares in own code is own
      // code: isInSystemHeader() goes by where a macro is expanded.
      const clang::SourceLocation location = declaration->getLocation();
      if (location.isInvalid() || !result.SourceManager->isInSystemHeader(location)) {
        own.push_back(declaration);
      }
    }
    context_->setTraversalScope(own);
  }

  /// Gives the scope back: the static analyzer comes after the checks, and is to see what it sees without this one.
  void onEndOfTranslationUnit() override {
    if (context_ != nullptr) {
      context_->setTraversalScope({context_->getTranslationUnitDecl()});
      context_ = nullptr;
    }
  }

 private:
  clang::ASTContext* context_ = nullptr;
};

class OwnCodeOnlyModule : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnCodeOnlyCheck>("own-code-only");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<OwnCodeOnlyModule> kRegistration(
    "own-code-only", "Limits the checks to code outside system headers.");

}  // namespace
