"""Writes src/schema/types.txt from the merge schema of client-go.

usage: types.py PATH_OF/k8s.io/client-go@VERSION/applyconfigurations/internal/internal.go

The format is told in the head of types.txt. Only types that the served kinds reach are written. Needs PyYAML.
"""
import yaml,re,sys
src=open(sys.argv[1]).read()
y=src[src.index('typed.YAMLObject(`')+len('typed.YAMLObject(`'):src.rindex('`)')]
types={t['name']:t for t in yaml.safe_load(y)['types']}
def short(n):
    for p in('io.k8s.api.','io.k8s.apimachinery.pkg.apis.','io.k8s.apimachinery.pkg.'): 
        if n.startswith(p): return n[len(p):]
    return n
roots='''core.v1.Namespace core.v1.ConfigMap core.v1.Secret core.v1.ServiceAccount core.v1.Service core.v1.Pod core.v1.Event core.v1.PersistentVolumeClaim core.v1.PersistentVolume core.v1.Node core.v1.Endpoints core.v1.LimitRange core.v1.ResourceQuota core.v1.ReplicationController core.v1.PodTemplate
apps.v1.Deployment apps.v1.ReplicaSet apps.v1.StatefulSet apps.v1.DaemonSet apps.v1.ControllerRevision batch.v1.Job batch.v1.CronJob
rbac.v1.Role rbac.v1.RoleBinding rbac.v1.ClusterRole rbac.v1.ClusterRoleBinding coordination.v1.Lease networking.v1.Ingress networking.v1.NetworkPolicy networking.v1.IngressClass policy.v1.PodDisruptionBudget autoscaling.v2.HorizontalPodAutoscaler scheduling.v1.PriorityClass storage.v1.StorageClass discovery.v1.EndpointSlice events.v1.Event
admissionregistration.v1.ValidatingWebhookConfiguration admissionregistration.v1.MutatingWebhookConfiguration'''.split()
seen={};out=[]
def ty(t):
    if 'namedType' in t:
        n=t['namedType']
        if n.startswith('__untyped'):
            return {'__untyped_atomic_':'?*','__untyped_deduced_':'?'}[n]
        todo.append(n); return ('*' if t.get('elementRelationship')=='atomic' else '')+'@'+short(n)
    if 'scalar' in t: return {'string':'s','numeric':'n','boolean':'b','untyped':'?'}[t['scalar']]
    if 'list' in t:
        l=t['list'];r=l.get('elementRelationship','associative');e=ty(l['elementType'])
        if r=='atomic':return '[*'+e
        if l.get('keys'): return '['+','.join(l['keys'])+';'+e
        return '[='+e
    if 'map' in t:
        m=t['map']
        if 'fields' in m: raise Exception(m)
        return '{'+('*' if m.get('elementRelationship')=='atomic' else '')+ty(m['elementType'])
    raise Exception(t)
todo=[]
for r in roots:
    n='io.k8s.api.'+r
    if n not in types: print('missing',r,file=sys.stderr); continue
    todo.append(n)
while todo:
    n=todo.pop()
    if n in seen: continue
    t=types[n]
    if 'map' in t and 'fields' in t['map']:
        m=t['map'];a='*' if m.get('elementRelationship')=='atomic' else ''
        if 'elementType' in m: a='*'
        seen[n]=short(n)+a+' '+' '.join(f['name']+'='+ty(f['type']) for f in m['fields'])
    elif 'map' in t and 'elementType' in t['map']:
        # inline: untyped object such as RawExtension, FieldsV1
        seen[n]=short(n)+' ='+('?*' if t['map'].get('elementRelationship')=='atomic' else '?')
    else:
        seen[n]=short(n)+' ='+ty({k:v for k,v in t.items() if k!='name'})
print('\n'.join(sorted(seen.values())))
