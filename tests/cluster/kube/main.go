// Command kube is the control plane of the test cluster in one program: etcd, kube-apiserver, kube-controller-manager and kubectl,
// each by its own main function, and `key`, which makes the key that signs tokens of service accounts. Which one it is says the
// first argument, or the name it is called by.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // time zones of CronJobs

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	part := filepath.Base(os.Args[0])
	if part != "kubectl" && len(os.Args) > 1 {
		part = os.Args[1]
		os.Args = os.Args[1:]
	}
	switch part {
	case "etcd":
		etcdmain.Main(os.Args)
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controller-manager":
		os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			util.CheckErr(err)
		}
	case "key":
		key, err := keyutil.MakeEllipticPrivateKeyPEM()
		util.CheckErr(err)
		os.Stdout.Write(key)
	default:
		fmt.Fprintln(os.Stderr, "usage: kube etcd|apiserver|controller-manager|kubectl|key ARGUMENTS")
		os.Exit(2)
	}
}
