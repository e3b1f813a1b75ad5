package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// addPipelines writes n more pipelines into the project in dir, one file each: half
// are the route of S1 on paths of their own, half the consumer of S3 for event types
// of their own.
func addPipelines(dir string, n int) error {
	if n == 0 {
		return nil
	}
	route, err := os.ReadFile(filepath.Join("bench", "s1", "orders.yaml"))
	if err != nil {
		return err
	}
	consumer, err := os.ReadFile(filepath.Join("bench", "s3", "price.yaml"))
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "more")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for i := range n {
		own := strings.NewReplacer(
			"pipeline: orders", fmt.Sprintf("pipeline: orders_%d", i), "path: /orders", fmt.Sprintf("path: /more/%d/orders", i),
			"pipeline: price", fmt.Sprintf("pipeline: price_%d", i), "order.received", fmt.Sprintf("order.received_%d", i), "order.priced", fmt.Sprintf("order.priced_%d", i))
		text := route
		if i%2 == 1 {
			text = consumer
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("pipeline_%d.yaml", i)), []byte(own.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// startWith runs a project of bench/ with n more pipelines in it.
func startWith(b settings, n int, project string, env ...string) (*server, error) {
	dir, err := copyProject(b, project)
	if err != nil {
		return nil, err
	}
	if err := addPipelines(dir, n); err != nil {
		return nil, err
	}
	return runOwn(b, dir, env...)
}
