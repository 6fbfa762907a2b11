;; Waits for ConfigMap app to be ready, for an hour.
(module
  (import "boathook:hook/kubernetes@0.1.0" "wait"
    (func $wait (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32)))
  (memory (export "memory") 2)
  ;; The answer, result<report, failure>: ok, message "done", changed, no data.
  (data (i32.const 8) "\40\00\00\00\04\00\00\00\01")
  (data (i32.const 64) "done")
  (data (i32.const 256) "v1ConfigMapapp")
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $wait
      (i32.const 256) (i32.const 2) (i32.const 258) (i32.const 9)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 267) (i32.const 3)
      (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)       ;; ready
      (i64.const 3600000) (i32.const 512))
    i32.const 0)
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -8))))
    (local.get $at)))
