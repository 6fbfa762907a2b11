;; Reports success and does nothing else.
(module
  (memory (export "memory") 1)
  ;; The answer, result<report, failure>: ok, message "done", changed, no data.
  (data (i32.const 8) "\40\00\00\00\04\00\00\00\01")
  (data (i32.const 64) "done")
  (func (export "boathook:hook/run@0.1.0#run") (result i32) i32.const 0))
