# Thin on purpose: every target is one script, which can be run without make too.

.PHONY: help demo test load bench schema fmt install

help: ## What there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## Build and start the demo, with requests to paste (ARGS="--listen 127.0.0.1:8081", PROFILE=release)
	@.ci/demo.sh $(if $(filter release,$(PROFILE)),--release) $(ARGS)

test: ## Everything that is checked before a change is taken
	@.ci/test.sh

load: ## k6 against a demo that it starts itself (ARGS="mixed" runs one script)
	@load/run.sh $(ARGS)

bench: ## Criterion; CPU per request beside libmodsecurity, a bare Pingora proxy, nginx, HAProxy; memory (ARGS="waf", "proxy", ...)
	@benches/run.sh $(ARGS)

schema: ## Write config/schema.json anew from the code
	@.ci/schema.sh

fmt: ## Format the code
	@cargo fmt --all

install: ## Install what builds, tests, load and benches need (the other targets do it themselves)
	@.ci/install.sh build test load bench
