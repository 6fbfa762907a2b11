;; Traps while the host is handing over an answer: its allocator is called in the middle of the host call.
(module
  (import "boathook:hook/kubernetes@0.1.0" "get"
    (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 256) "v1ConfigMapapp")
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (call $get
      (i32.const 256) (i32.const 2)                   ;; "v1"
      (i32.const 258) (i32.const 9)                   ;; "ConfigMap"
      (i32.const 0) (i32.const 0) (i32.const 0)       ;; the namespace of the release
      (i32.const 267) (i32.const 3)                   ;; "app"
      (i32.const 0) (i32.const 0)                     ;; all fields
      (i32.const 512))                                ;; where the answer goes
    i32.const 0)
  (func $allocate (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))
