// Command tianhai takes sensor streams from farms and marine ranches, keeps
// them, watches over them, and ties them to the records behind a QR code.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Serve     serveCommand     `cmd:"" help:"Run the server."`
	Demo      demoCommand      `cmd:"" help:"Run the server with simulated farms, seeded accounts and batches."`
	Verify    verifyCommand    `cmd:"" help:"Check a downloaded receipt offline."`
	Evidence  evidenceCommand  `cmd:"" help:"The readings behind sealed records: export, verify."`
	Witness   witnessCommand   `cmd:"" help:"Cosign the checkpoints of logs, so that no log can show two histories."`
	Audit     auditCommand     `cmd:"" help:"Compare the whole log with the records; exit 0 if they agree."`
	Ledger    ledgerCommand    `cmd:"" help:"The transparency log: rotate its key."`
	Erase     eraseCommand     `cmd:"" help:"Erase personal data, as the law demands; no proof breaks."`
	Account   accountCommand   `cmd:"" help:"Manage people's accounts."`
	Device    deviceCommand    `cmd:"" help:"Manage devices: list, issue, import, suspend, resume, retire, rotate, revoke."`
	Retention retentionCommand `cmd:"" help:"Say how long values are kept: list, set, clear, preview."`
	Import    importCommand    `cmd:"" help:"Register tenants, sites, models, devices, products and accounts from a file."`
	Backfill  backfillCommand  `cmd:"" help:"Bring old measurements in from a CSV file or a workbook."`
	Replay    replayCommand    `cmd:"" help:"Read frames again that were stored wrongly, or not at all."`
	Jobs      jobsCommand      `cmd:"" help:"List, follow and call off backfills and replays."`
	Decode    decodeCommand    `cmd:"" help:"Read a device's payload and print what it says, or where it is at fault."`
	Mapping   mappingCommand   `cmd:"" help:"How the JSON of other people's devices is read: list, show, try, save, delete."`
	Catalog   catalogCommand   `cmd:"" help:"Products, stages, operations and what is said of each: check, show, save."`
	Label     labelCommand     `cmd:"" help:"GS1 Digital Links: parse, make."`
	Deliver   deliverCommand   `cmd:"" help:"Hand a package to a platform, signed, until it is acknowledged."`
	Package   packageCommand   `cmd:"" help:"Everything that an operator recorded in a period, with its proofs, as a file for authorities."`
	EPCIS     epcisCommand     `cmd:"" name:"epcis" help:"EPCIS 2.0 documents of any origin: validate, hash."`
	QC        qcCommand        `cmd:"" name:"qc" help:"Flag the values of a CSV file by QARTOD's tests."`
	Health    healthCommand    `cmd:"" help:"Ask a running server whether it is ready; exit 0 if so."`
}

// parseArgs finds the command that the arguments ask for.
func parseArgs(args []string) (*kong.Context, error) {
	k, err := kong.New(&commands{}, kong.Name("tianhai"),
		kong.Description("田海 Tianhai: from sensor to scanned code."),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return nil, err
	}
	return k.Parse(args)
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command, err := parseArgs(args)
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tianhai:", err)
		return 1
	}
	return 0
}
