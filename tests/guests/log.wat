;; Logs "token=s3cr3t-value" at level warn, then fails with the same text.
(module
  (import "boathook:hook/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\01\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\40\00\00\00\12\00\00\00")  ;; retryable
  (data (i32.const 64) "token=s3cr3t-value")
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $emit (i32.const 3) (i32.const 64) (i32.const 18) (i32.const 0) (i32.const 0))
    i32.const 0))
