;; One instruction that would take 800 MB and half a second.
(module
  (memory (export "memory") 1)
  (table $t 1 funcref)
  (func (export "boathook:hook/run@0.1.0#run") (result i32)
    (drop (table.grow $t (ref.null func) (i32.const 100000000)))
    unreachable))
