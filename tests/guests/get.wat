;; Reads ConfigMap app; fails with "get failed" if that fails.
(module
  (import "boathook:hook/kubernetes@0.1.0" "get"
    (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)
  ;; The answer, result<report, failure>: ok, message "done", changed, no data.
  (data (i32.const 8) "\40\00\00\00\04\00\00\00\01")
  (data (i32.const 64) "done")
  (data (i32.const 256) "v1ConfigMapapp")
  (data (i32.const 128) "get failed")
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $get
      (i32.const 256) (i32.const 2)                   ;; "v1"
      (i32.const 258) (i32.const 9)                   ;; "ConfigMap"
      (i32.const 0) (i32.const 0) (i32.const 0)       ;; the namespace of the release
      (i32.const 267) (i32.const 3)                   ;; "app"
      (i32.const 0) (i32.const 0)                     ;; all fields
      (i32.const 512))                                ;; where the answer goes
    (if (i32.load8_u (i32.const 512))
      (then
        (i32.store8 (i32.const 0) (i32.const 1))      ;; err
        (i32.store8 (i32.const 8) (i32.const 2))      ;; permanent
        (i32.store (i32.const 16) (i32.const 128))
        (i32.store (i32.const 20) (i32.const 10))))
    i32.const 0)
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (local.get $at) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -8))))
    (local.get $at)))
